import { failure } from '../../../shared/errors.ts';
import type { RedisOptions, TlsOptions } from './options.ts';
import { parseUrl } from './url.ts';

/** Where a server listens. */
export type Address = { host: string; port: number } | { path: string };

export interface Credentials {
  username?: string | undefined;
  password?: string | undefined;
}

/** How servers are reached, whatever options said so. */
export interface Settings {
  kind: 'server' | 'cluster' | 'sentinel';
  /** The server; some nodes of the cluster; the sentinels. */
  addresses: readonly Address[];
  /** The options to look at when there is nobody, as a message names them. */
  addressOptions: string;
  /** Of the server, of every node of the cluster, of the master. */
  credentials: Credentials;
  db: number;
  /** Undefined where connections are not encrypted. */
  tls: TlsOptions | undefined;
  sentinel: { name: string; credentials: Credentials } | undefined;
}

const DEFAULT_PORT = 6379;

/** What the options say together. Throws `storage_config` where they contradict each other. */
export function settingsOf(options: RedisOptions): Settings {
  const places = (['url', 'host', 'cluster', 'sentinel'] as const).filter((name) => name in options);
  const [place, other] = places;
  if (place && other) refuse(other, `cannot be given with '${place}': either says where the servers are`);
  if ('port' in options && place !== undefined && place !== 'host')
    refuse('port', `cannot be given with '${place}', which holds ports`);
  if (place === 'cluster' && options.db) refuse('db', "must be 0 with 'cluster': a cluster has no other");
  const { username, password, db = 0 } = options;
  const tls = tlsOf(options.tls);
  const common = { credentials: { username, password }, db, tls, sentinel: undefined };
  if (options.url !== undefined) return fromUrl(options, options.url);
  if (options.cluster)
    return {
      ...common,
      kind: 'cluster',
      addresses: options.cluster.map(addressOf),
      addressOptions: "'cluster'",
    };
  if (options.sentinel) {
    const { name, nodes, ...credentials } = options.sentinel;
    return {
      ...common,
      kind: 'sentinel',
      addresses: nodes.map(addressOf),
      addressOptions: "'sentinel.nodes'",
      sentinel: { name, credentials },
    };
  }
  return {
    ...common,
    kind: 'server',
    addresses: [{ host: options.host ?? '127.0.0.1', port: options.port ?? DEFAULT_PORT }],
    addressOptions: "'host' and 'port'",
  };
}

function fromUrl(options: RedisOptions, url: string): Settings {
  const parsed = parseUrl(url);
  if (typeof parsed === 'string') return refuse('url', parsed);
  for (const name of ['username', 'password', 'db'] as const)
    if (options[name] !== undefined && parsed[name] !== undefined)
      refuse(name, "is in 'url' too: give it in one place");
  if (options.tls === false && parsed.tls) refuse('tls', "is false, but 'url' begins with rediss://");
  if (options.tls && 'path' in parsed.address) refuse('tls', 'cannot be given with a socket of this machine');
  return {
    kind: 'server',
    addresses: [parsed.address],
    addressOptions: "'url'",
    credentials: {
      username: options.username ?? parsed.username,
      password: options.password ?? parsed.password,
    },
    db: options.db ?? parsed.db ?? 0,
    tls: tlsOf(options.tls) ?? (parsed.tls ? {} : undefined),
    sentinel: undefined,
  };
}

function tlsOf(tls: RedisOptions['tls']): TlsOptions | undefined {
  if (tls === undefined || tls === false) return undefined;
  if (tls === true) return {};
  if (tls.cert !== undefined && tls.key === undefined) refuse('tls.key', "is required with 'tls.cert'");
  if (tls.key !== undefined && tls.cert === undefined) refuse('tls.cert', "is required with 'tls.key'");
  return tls;
}

function addressOf(node: string): Address {
  const colon = node.lastIndexOf(':');
  const host = node.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(node.slice(colon + 1)) };
}

function refuse(path: string, expected: string): never {
  throw failure('storage_config', { backend: 'redis', path, expected });
}
