import http from 'node:http';
import https from 'node:https';

export interface RestRequest {
  method: 'GET' | 'PUT' | 'DELETE';
  /** Below the service's URL. */
  path: string;
  /** JSON. */
  body?: Buffer;
  /** Bytes of the answer that are read, at most. */
  limit: number;
}

export interface RestAnswer {
  status: number;
  body: Buffer;
  /** Whether the answer was longer than the limit. */
  isCut: boolean;
}

/** The service cannot be reached, or the connection broke. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** An idle connection is closed after so long: before the service, which has 75 s, closes it under a request. */
const IDLE_MS = 30_000;

/** Requests over connections that are kept, as many as there are requests at a time. */
export class RestClient {
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #send: typeof http.request;

  constructor(url: string, connections: number) {
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    const { Agent, request } = this.#base.protocol === 'https:' ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: IDLE_MS });
    this.#send = request;
  }

  /** Host and port, for messages. */
  get host(): string {
    return this.#base.host;
  }

  /** Rejects with {@link Unreachable}, or with the signal's reason. */
  async call(request: RestRequest, signal: AbortSignal): Promise<RestAnswer> {
    signal.throwIfAborted();
    try {
      return await this.#once(request, signal);
    } catch (error) {
      signal.throwIfAborted();
      // The service had closed the connection, and took nothing: another one is made.
      if (error instanceof StaleConnection) return this.#once(request, signal);
      throw error;
    }
  }

  /** Leaves no connection behind. Requests under way must have been aborted. */
  close(): void {
    this.#agent.destroy();
  }

  #once({ method, path, body, limit }: RestRequest, signal: AbortSignal): Promise<RestAnswer> {
    return new Promise((resolve, reject) => {
      const headers = body ? { 'content-type': 'application/json', 'content-length': body.byteLength } : {};
      const url = new URL(path, this.#base);
      const request = this.#send(url, { method, headers, agent: this.#agent, signal });
      request.on('error', (error: NodeJS.ErrnoException) => {
        const reason = error.code ?? error.message;
        const isStale = request.reusedSocket && (reason === 'ECONNRESET' || reason === 'EPIPE');
        reject(new (isStale ? StaleConnection : Unreachable)(`${this.host} cannot be reached (${reason}).`));
      });
      request.on('response', (response) => {
        const status = response.statusCode ?? 0;
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          bytes += chunk.byteLength;
          if (bytes <= limit) return;
          resolve({ status, body: Buffer.concat(chunks, limit), isCut: true });
          // Nothing of it is read any more: what would come is of any length.
          response.destroy();
        });
        response.on('end', () => resolve({ status, body: Buffer.concat(chunks, bytes), isCut: false }));
        response.on('error', () => reject(new Unreachable(`${this.host} broke off its answer.`)));
      });
      request.end(body);
    });
  }
}

class StaleConnection extends Unreachable {}
