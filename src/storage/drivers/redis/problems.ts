import type { ErrorReply } from '@redis/client';
import type { StorageErrorKind } from '../../driver.ts';

/** Why something did not work, in words that may be shown: without a secret, and naming the option to look at. */
export class Problem extends Error {
  readonly kind: StorageErrorKind;
  /** The server's word for it, where it answered with an error. */
  readonly code: string | undefined;
  /** Where a cluster has the key instead. */
  readonly redirect: Redirect | undefined;

  constructor(kind: StorageErrorKind, message: string, { code, redirect }: Details = {}) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.redirect = redirect;
  }
}

interface Details {
  code?: string;
  redirect?: Redirect | undefined;
}

export interface Redirect {
  /** Only this time: the key is on its way there. */
  asking: boolean;
  /** Of the node that answered, where it is empty. */
  host: string;
  port: number;
}

type Told = readonly [kind: StorageErrorKind, message: string];

/** Error replies by the word they begin with. */
const BY_CODE: Record<string, Told> = {
  OOM: ['full', 'the server has reached its maxmemory and evicts nothing: see maxmemory-policy'],
  NOAUTH: ['denied', "the server wants a password: set 'password'"],
  WRONGPASS: ['denied', "the password was refused: check 'username' and 'password'"],
  READONLY: ['denied', "the server is a read-only replica: name its master, or use 'sentinel'"],
  MISCONF: [
    'denied',
    'the server takes no writes because it cannot save to its disk: see its log, or set save "" there',
  ],
  NOREPLICAS: ['denied', 'the server takes no writes without its replicas: see min-replicas-to-write'],
  LOADING: ['unreachable', 'the server is still loading its data'],
  BUSY: ['unreachable', 'the server is busy with a script'],
  MASTERDOWN: ['unreachable', 'the server is a replica that has lost its master'],
  TRYAGAIN: ['unreachable', 'the cluster is moving this key'],
  CLUSTERDOWN: ['unreachable', 'the cluster is down: not all of its slots are served'],
  MOVED: ['unreachable', "the server is part of a cluster: use 'cluster'"],
  ASK: ['unreachable', "the server is part of a cluster: use 'cluster'"],
  DENIED: ['denied', 'the server is in protected mode and takes no connections from other machines'],
  WRONGTYPE: [
    'io',
    "the key holds something else than a value of ours: set a 'prefix' that nobody else uses",
  ],
};

/** Error replies by other words in them. */
const BY_TEXT: readonly (readonly [RegExp, Told])[] = [
  [
    /without any password|no password is set/i,
    ['denied', "the server has no password for this user: leave out 'password', or check 'username'"],
  ],
  [/'auth' command/i, ['denied', "the server knows no users, being older than 6: leave out 'username'"]],
  [/DB index|SELECT is not allowed/i, ['io', "the server has no such database: check 'db'"]],
  [/max number of clients/i, ['unreachable', 'the server has as many clients as its maxclients allows']],
  [
    /cluster support disabled/i,
    ['io', "the server is no cluster: use 'url', or 'host' and 'port', instead of 'cluster'"],
  ],
  [/invalid bulk length/i, ['size', 'the value is larger than the server’s proto-max-bulk-len']],
];

/** What an error reply means. Its own text is not shown: servers repeat what they were sent, a password too. */
export function replyProblem({ message }: ErrorReply): Problem {
  const code = /^[A-Z]+\b/.exec(message)?.[0] ?? 'an error';
  if (code === 'NOPERM') return new Problem('denied', withoutRight(message), { code });
  const told = BY_CODE[code] ?? BY_TEXT.find(([text]) => text.test(message))?.[1];
  const [kind, words]: Told = told ?? ['io', `the server answered ${code}`];
  return new Problem(kind, words, { code, redirect: redirectOf(message) });
}

function redirectOf(message: string): Redirect | undefined {
  const [, code, host = '', port] = /^(MOVED|ASK) \d+ (\S*):(\d+)$/.exec(message) ?? [];
  return code === undefined ? undefined : { asking: code === 'ASK', host, port: Number(port) };
}

function withoutRight(message: string): string {
  const command = /'([a-z|-]+)' command/.exec(message)?.[1];
  if (command) return `the user may not use the command ${command}: allow it in the server’s ACL`;
  if (/channel/i.test(message)) return 'the user may not use a channel';
  if (/key/i.test(message))
    return "the user may not use these keys: allow those that begin with 'prefix' in the server’s ACL";
  return 'the user may not use a command that is needed: allow it in the server’s ACL';
}
