import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** What goes wrong with one request. */
export type S3Fault =
  /** An answer of S3's own form, or with a body of another one. */
  | { kind: 'answer'; status: number; code?: string; headers?: Record<string, string>; body?: string }
  /** The same before the request's body was read, which it then is not. */
  | { kind: 'early'; status: number; code: string }
  /** The body ends after so many bytes, with the connection. */
  | { kind: 'cut'; bytes: number }
  /** The body stops after so many bytes; the connection stays. */
  | { kind: 'stall'; bytes: number }
  | { kind: 'hang' }
  | { kind: 'reset' }
  /** With neither length nor chunks: its end is the end of the connection. */
  | { kind: 'unframed'; body: Buffer }
  /** Bytes that are no HTTP. */
  | { kind: 'garbage' };

interface FakeS3Options {
  port?: number;
  bucket?: string;
  /** Of `If-None-Match: *`. */
  conditions?: 'kept' | 'refused' | 'ignored';
  batchDeletes?: boolean;
  /** Before every answer, as over a network. */
  delayMs?: number;
  tls?: { key: Buffer; cert: Buffer };
}

/** A small part of S3, with one bucket, that checks no signatures and fails as it is told. */
export interface FakeS3 {
  endpoint: string;
  port: number;
  /** By their whole keys, with the prefix. */
  objects: Map<string, Buffer>;
  /** Of every request that came, in order: method and what it is for, as `GET object`. */
  requests: string[];
  headers: IncomingMessage['headers'][];
  /** The last request of a kind. */
  last(kind: string): { headers: IncomingMessage['headers']; body: Buffer };
  /** Requests at the same time, at most. */
  most: number;
  /** Asked for every request. */
  fault: (kind: string, key: string) => S3Fault | undefined;
  connections(): Promise<number>;
  /** All of them, whatever is asked on them. */
  endConnections(): void;
  /** With all connections, as if it was killed. */
  stop(): Promise<void>;
}

export async function startFakeS3(options: FakeS3Options = {}): Promise<FakeS3> {
  const { bucket = 'pages', conditions = 'kept', batchDeletes = true, delayMs = 0, tls } = options;
  const fake: Omit<FakeS3, 'endpoint' | 'port' | 'last' | 'connections' | 'endConnections' | 'stop'> = {
    objects: new Map(),
    requests: [],
    headers: [],
    most: 0,
    fault: () => undefined,
  };
  let running = 0;
  const last = new Map<string, { headers: IncomingMessage['headers']; body: Buffer }>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const [, name = '', ...rest] = url.pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    const kind = `${request.method} ${key === '' ? 'bucket' : 'object'}`;
    fake.requests.push(kind);
    fake.headers.push(request.headers);
    const fault = fake.fault(kind, key);
    if (fault?.kind === 'early') {
      response.writeHead(fault.status, { connection: 'close' }).end(errorBody(fault.code));
      return;
    }
    running++;
    fake.most = Math.max(fake.most, running);
    response.once('close', () => running--);
    const body = Buffer.concat(await request.toArray().catch(() => []));
    if (!request.complete) return;
    last.set(kind, { headers: request.headers, body });
    if (delayMs > 0) await sleep(delayMs);
    const value = fake.objects.get(key);
    if (fault) return fail(fault, value ?? Buffer.alloc(1000), response);
    if (name !== bucket) return refuse(response, 404, 'NoSuchBucket');
    const condition = request.headers['if-none-match'];
    switch (kind) {
      case 'GET bucket':
        return void response.end(listing(bucket, fake.objects, url.searchParams));
      case 'POST bucket':
        if (!batchDeletes) return refuse(response, 400, 'InvalidArgument');
        for (const [, each = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g))
          fake.objects.delete(each);
        return void response.end('<DeleteResult/>');
      case 'HEAD object':
      case 'GET object':
        if (!value) return refuse(response, 404, 'NoSuchKey');
        return void response
          .writeHead(200, { 'content-length': value.length })
          .end(kind === 'GET object' ? value : undefined);
      case 'PUT object':
        if (condition && conditions === 'refused') return refuse(response, 501, 'NotImplemented');
        if (condition && conditions === 'kept' && value) return refuse(response, 412, 'PreconditionFailed');
        fake.objects.set(key, body);
        return void response.end();
      case 'DELETE object':
        fake.objects.delete(key);
        return void response.writeHead(204).end();
      default:
        return refuse(response, 405, 'MethodNotAllowed');
    }
  };
  const server = tls ? createTlsServer(tls, answer) : createServer(answer);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return Object.assign(fake, {
    port,
    last(kind: string) {
      const found = last.get(kind);
      if (!found) throw new Error(`there was no ${kind}`);
      return found;
    },
    endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    connections: () =>
      new Promise<number>((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    endConnections: () => server.closeAllConnections(),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' }).end(errorBody(code));
}

function errorBody(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said the test</Message></Error>`;
}

function fail(fault: S3Fault, value: Buffer, response: ServerResponse): void {
  switch (fault.kind) {
    case 'answer':
      response.writeHead(fault.status, fault.headers);
      return void response.end(fault.body ?? errorBody(fault.code ?? 'InternalError'));
    case 'early':
      return;
    case 'cut':
    case 'stall':
      response.writeHead(200, { 'content-length': value.length });
      response.write(value.subarray(0, fault.bytes), () => fault.kind === 'cut' && response.destroy());
      return;
    case 'hang':
      return;
    case 'unframed':
      return void response.socket?.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), fault.body]));
    case 'reset':
      return void response.destroy();
    case 'garbage':
      return void response.socket?.end('\0\x01\x02 this is no HTTP\r\n\r\n');
  }
}

/** Pages of it begin after a key, which is its token. */
function listing(bucket: string, objects: ReadonlyMap<string, Buffer>, query: URLSearchParams): string {
  const most = Number(query.get('max-keys') ?? 1000);
  const after = query.get('continuation-token') ?? '';
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
    .sort();
  const portion = keys.slice(0, most);
  const contents = portion.map(
    (key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)?.length}</Size></Contents>`,
  );
  const next = keys.length > most ? `<NextContinuationToken>${portion.at(-1)}</NextContinuationToken>` : '';
  return `<?xml version="1.0"?><ListBucketResult><Name>${bucket}</Name><IsTruncated>${next !== ''}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
}
