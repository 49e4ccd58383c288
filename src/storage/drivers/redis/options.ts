import { type Static, Type } from 'typebox';

/** `host:port`; an IPv6 address stands in brackets. */
const node = Type.Refine(
  Type.String(),
  (text) => {
    const port = Number(/^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@[\]]+):([0-9]{1,5})$/.exec(text)?.[1] ?? 0);
    return port > 0 && port < 65_536;
  },
  () => 'must be a host and a port, such as "10.0.0.1:6379"',
);

const Tls = Type.Object(
  {
    ca: Type.Optional(
      Type.String({
        description: 'Who may have signed the server’s certificate: PEM text, or the path of a file with it.',
        absent: 'the authorities that Node.js brings',
      }),
    ),
    cert: Type.Optional(
      Type.String({
        description:
          'The client’s certificate, for servers that want one: PEM text, or the path of a file with it.',
        absent: 'none is shown',
      }),
    ),
    key: Type.Optional(
      Type.String({
        description: 'The private key of cert: PEM text, or the path of a file with it.',
        absent: 'none; it is needed with cert',
      }),
    ),
    reject_unauthorized: Type.Optional(
      Type.Boolean({
        description: 'Whether a server whose certificate cannot be verified is refused.',
        absent: 'true',
      }),
    ),
    servername: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The name that the server’s certificate must have.',
        absent: 'the host that is connected to',
      }),
    ),
  },
  { additionalProperties: false },
);

const Sentinel = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'The name under which the sentinels know the master.' }),
    nodes: Type.Array(node, {
      minItems: 1,
      description: 'The sentinels, each as "host:port"; one that answers is enough.',
    }),
    username: Type.Optional(
      Type.String({ minLength: 1, description: 'The user at the sentinels.', absent: 'the default user' }),
    ),
    password: Type.Optional(
      Type.String({ minLength: 1, description: 'The password at the sentinels.', absent: 'none is sent' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'The sentinels that know which server is the master now.',
    absent: 'no sentinels are asked',
  },
);

export const RedisOptions = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'The server, as "redis://user:password@host:port/db", "rediss://…" with TLS, or "unix:///path/of/socket?db=0".',
        absent: 'host and port say where it is',
      }),
    ),
    host: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The server’s name or address.',
        absent: '127.0.0.1, unless url, cluster or sentinel says where the server is',
      }),
    ),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: 'The server’s port.', absent: '6379' }),
    ),
    username: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The user, of servers with access control lists.',
        absent: 'the default user',
      }),
    ),
    password: Type.Optional(
      Type.String({ minLength: 1, description: 'The password.', absent: 'none is sent' }),
    ),
    db: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'The number of the database. A cluster has none but 0.',
        absent: '0, or what url says',
      }),
    ),
    tls: Type.Optional(
      Type.Union([Type.Boolean(), Tls], {
        description:
          'Whether connections are encrypted: true, or an object that says how, which is true too.',
        absent: 'as url says, else they are not',
      }),
    ),
    cluster: Type.Optional(
      Type.Array(node, {
        minItems: 1,
        description: 'Some nodes of a Redis Cluster, each as "host:port"; the others are found.',
        absent: 'the server is no cluster',
      }),
    ),
    sentinel: Type.Optional(Sentinel),
    prefix: Type.Refine(
      Type.String({
        default: 'tierkv:',
        description:
          'What the names of all keys begin with: letters, digits, ".", "_", "-" and ":", and ":" in the end.',
      }),
      (text) => /^[A-Za-z0-9._:-]{0,99}:$/.test(text),
      () => 'must be letters, digits, ".", "_", "-" and ":", at most 100, and end with ":"',
    ),
    ttl: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10 ** 9,
        description: 'Seconds after which the server removes a value, since it was written.',
        absent: 'values stay until they are removed or the server evicts them',
      }),
    ),
  },
  { additionalProperties: false },
);
export type RedisOptions = Static<typeof RedisOptions>;
export type TlsOptions = Static<typeof Tls>;
