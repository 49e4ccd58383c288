import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the service knows of one data file. */
class Rank {
  readonly places: number;
  free: number[];
  /** The least recently used first. */
  readonly keys = new Map<string, number>();

  constructor(places: number) {
    this.places = places;
    this.free = Array.from({ length: places }, (_, i) => i);
  }

  use(key: string): number | null {
    const index = this.keys.get(key);
    if (index === undefined) return null;
    this.keys.delete(key);
    this.keys.set(key, index);
    return index;
  }

  /** Gives a key's place back, where it has one. */
  remove(key: string): number | undefined {
    const index = this.keys.get(key);
    this.keys.delete(key);
    return index;
  }

  place(): number | undefined {
    const [oldest] = this.keys.keys();
    return this.free.pop() ?? (oldest === undefined ? undefined : this.remove(oldest));
  }

  giveBack(index: number | undefined): void {
    if (index !== undefined && !this.free.includes(index)) this.free.push(index);
  }
}

interface Body {
  namespace?: string;
  num_pages: number;
  keys: string[];
  written_keys_to_confirm?: [string, number][];
  pages_to_release?: number[];
}

/**
 * A service that speaks the protocol of SGLang's `mini_3fs_metadata_server`, on loopback: every call is a POST of JSON
 * to `/<rank>/<call>`, where `namespace` names a part of it.
 */
export class Fake3fsMetadata {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #ranks = new Map<string, Rank>();
  /** Calls that were answered, in their order, as `0/exists`. */
  readonly calls: string[] = [];
  /** Called before each answer; what it gives is answered instead. */
  trouble: (call: string) => Promise<{ status: number; text: string } | undefined> = async () => undefined;
  /** Calls that are carried out, but whose answers do not arrive. */
  isLost: (call: string) => boolean = () => false;

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** As when it is started again without a file to remember by. */
  forgetAll(): void {
    this.#ranks.clear();
  }

  /** What it knows of one data file. */
  rank(name = '0:tierkv'): Rank {
    const rank = this.#ranks.get(name);
    if (!rank) throw new Error(`rank ${name} is not initialized`);
    return rank;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, number, call = ''] = (request.url ?? '').split('/');
    let text = '';
    for await (const part of request) text += part;
    const trouble = await this.trouble(call);
    this.calls.push(`${number}/${call}`);
    const { status, answer } = trouble
      ? { status: trouble.status, answer: trouble.text }
      : this.#answer(number, call, JSON.parse(text));
    if (this.isLost(call)) return void request.destroy();
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof answer === 'object' ? JSON.stringify(answer) : answer);
  }

  #answer(number: string | undefined, call: string, body: Body): { status: number; answer?: unknown } {
    const name = `${number}:${body.namespace ?? 'kv'}`;
    if (call === 'initialize') {
      if (!this.#ranks.has(name)) this.#ranks.set(name, new Rank(body.num_pages));
      return { status: 204 };
    }
    const rank = this.#ranks.get(name);
    if (!rank) return { status: 404, answer: { detail: `Rank ${number} is not initialized.` } };
    switch (call) {
      case 'exists':
        return { status: 200, answer: { exists: body.keys.map((key) => rank.keys.has(key)) } };
      case 'get_page_indices':
        return { status: 200, answer: { indices: body.keys.map((key) => rank.use(key)) } };
      case 'reserve_and_allocate_page_indices': {
        const pairs = body.keys as unknown as [key: string, before: string][];
        const known = pairs.map(([key]) => rank.use(key));
        const indices = known.map((index) => (index === null ? [false, rank.place()] : [true, index]));
        return indices.some(([, index]) => index === undefined)
          ? { status: 500, answer: 'Internal Server Error' }
          : { status: 200, answer: { indices } };
      }
      case 'confirm_write':
        for (const [key, index] of body.written_keys_to_confirm ?? []) {
          rank.keys.delete(key);
          rank.keys.set(key, index);
        }
        for (const index of body.pages_to_release ?? []) rank.giveBack(index);
        return { status: 204 };
      case 'delete_keys':
        for (const key of body.keys) rank.giveBack(rank.remove(key));
        return { status: 204 };
      default:
        return { status: 404, answer: { detail: 'Not Found' } };
    }
  }
}
