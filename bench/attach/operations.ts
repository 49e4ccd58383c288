import { request } from 'node:http';

export const ADMIN_KEY = 'bench';
export const MODES = ['idle', 'drain', 'live'] as const;
export type Mode = (typeof MODES)[number];

/** Changes of the storage of one server, between two folders. */
export class Operations {
  readonly #url: string;
  readonly #folders: readonly [string, string];

  constructor(url: string, folders: readonly [string, string]) {
    this.#url = url;
    this.#folders = folders;
  }

  attach(mode: Mode): Promise<number> {
    return this.#send('PUT', this.#body(0, mode, false));
  }

  /** Policies alone: the backend that is attached stays. */
  update(mode: Mode): Promise<number> {
    return this.#send('PUT', { hicache_storage_backend: 'file', mode });
  }

  switchTo(folder: 0 | 1, mode: Mode): Promise<number> {
    return this.#send('PUT', this.#body(folder, mode, true));
  }

  detach(mode: Mode): Promise<number> {
    return this.#send('DELETE', undefined, `?mode=${mode}`);
  }

  #body(folder: 0 | 1, mode: Mode, replace: boolean): object {
    const config = { path: this.#folders[folder], min_free_space: 0 };
    return {
      hicache_storage_backend: 'file',
      hicache_storage_backend_extra_config_json: config,
      mode,
      switch: replace,
    };
  }

  /** Milliseconds until the answer; throws when it is no success. */
  #send(method: string, body: object | undefined, query = ''): Promise<number> {
    const began = performance.now();
    return new Promise((resolve, reject) => {
      const call = request(`${this.#url}/hicache/storage-backend${query}`, {
        method,
        headers: {
          authorization: `Bearer ${ADMIN_KEY}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
      });
      call.on('error', reject);
      call.on('response', (response) => {
        const parts: string[] = [];
        response.setEncoding('utf8').on('data', (text: string) => parts.push(text));
        response.on('end', () => {
          if (response.statusCode === 200) resolve(performance.now() - began);
          else reject(new Error(`${method}: status ${response.statusCode}: ${parts.join('')}`));
        });
      });
      call.end(body && JSON.stringify(body));
    });
  }
}
