import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What one request meets instead of its answer. */
export type Fault =
  /** Another answer. */
  | { status: number; body: string | Buffer; type?: string }
  /** None, for as long as the server runs. */
  | 'hang'
  /** Half of it, and then the end of the connection. */
  | 'cut'
  /** The end of the connection. */
  | 'reset'
  /** A body that never ends. */
  | 'endless';

export interface SeenRequest {
  method: string;
  path: string;
}

/**
 * Mooncake Store's REST service as its documentation and source describe it: a key that is there is not overwritten and
 * is "stored" all the same; a key that was looked at or read has a lease, and is not removed while it lasts; and a key
 * that is not there cannot be told from one with a lease when it is to be removed.
 */
export class FakeMooncake {
  /** Texts, by the key as the service gets it. */
  readonly values = new Map<string, string>();
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** When each one ends. */
  readonly #leases = new Map<string, number>();
  readonly #faults: { when: (request: SeenRequest) => boolean; fault: Fault }[] = [];
  #leaseMs = 0;
  /** Requests that are under way now, and were at most. */
  running = 0;
  mostRunning = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => {
      // Whoever asked is gone.
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** @param port of loopback; 0 takes any */
  static async start(port = 0): Promise<FakeMooncake> {
    const fake = new FakeMooncake(createServer());
    fake.#server.listen(port, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** From now on what is looked at and read is kept for a while, at most until {@link endLeases}. */
  grantLeases(milliseconds = Number.POSITIVE_INFINITY): void {
    this.#leaseMs = milliseconds;
  }

  endLeases(): void {
    this.#leaseMs = 0;
    this.#leases.clear();
  }

  /** The next request of this kind meets a fault. */
  next(method: string, fault: Fault): void {
    this.#faults.push({ when: (request) => request.method === method, fault });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server.close(), 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = { method: request.method ?? '', path: request.url ?? '' };
    this.seen.push(seen);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    response.once('close', () => this.running--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const at = this.#faults.findIndex(({ when }) => when(seen));
    const fault = at < 0 ? undefined : this.#faults.splice(at, 1)[0]?.fault;
    if (fault === 'hang') return;
    if (fault === 'reset') return void request.socket.destroy();
    if (fault === 'endless') return endless(response);
    const answer = typeof fault === 'object' ? fault : this.#route(seen, Buffer.concat(chunks));
    const body = Buffer.from(answer.body);
    response.writeHead(answer.status, {
      'content-type': answer.type ?? 'application/json; charset=utf-8',
      'content-length': body.byteLength,
    });
    if (fault !== 'cut') return void response.end(body);
    response.write(body.subarray(0, body.byteLength / 2), () => request.socket.destroy());
  }

  #route({ method, path }: SeenRequest, body: Buffer): Exclude<Fault, string> {
    const [, name = '', key = ''] = /^\/api\/(\w+)(?:\/([^{}/]+))?$/.exec(path) ?? [];
    const named = decodeURIComponent(key);
    if (method === 'PUT' && name === 'put' && key === '') return this.#put(body);
    if (method === 'GET' && name === 'get' && key !== '') return this.#get(named);
    if (method === 'GET' && name === 'exist' && key !== '') {
      if (this.values.has(named)) this.#lease(named);
      return json(200, { exists: this.values.has(named) });
    }
    if (method === 'DELETE' && name === 'remove' && key !== '') {
      const isFree = performance.now() >= (this.#leases.get(named) ?? 0);
      const isRemoved = isFree && this.values.delete(named);
      return isRemoved ? json(200, { status: 'success' }) : json(500, { error: 'Remove operation failed' });
    }
    return { status: 404, body: '404: Not Found', type: 'text/plain; charset=utf-8' };
  }

  #put(body: Buffer): Exclude<Fault, string> {
    const { key, value } = JSON.parse(body.toString()) as { key?: unknown; value?: unknown };
    if (typeof key !== 'string' || key === '' || typeof value !== 'string')
      return json(400, { error: 'Missing key or value' });
    if (!this.values.has(key)) this.values.set(key, value);
    return json(200, { status: 'success' });
  }

  #get(key: string): Exclude<Fault, string> {
    const value = this.values.get(key);
    if (value === undefined) return json(404, { error: 'Key not found' });
    this.#lease(key);
    return { status: 200, body: value, type: 'application/octet-stream' };
  }

  #lease(key: string): void {
    this.#leases.set(key, performance.now() + this.#leaseMs);
  }
}

function json(status: number, body: object): Exclude<Fault, string> {
  return { status, body: JSON.stringify(body) };
}

function endless(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024, 'A');
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  response.on('drain', more);
  more();
}
