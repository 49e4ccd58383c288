import { nameOf } from './connect-problems.ts';
import type { Sender, Target } from './link.ts';
import { Problem } from './problems.ts';

export type Mode = 'standalone' | 'cluster' | 'sentinel';

interface Greeting {
  version: string;
  mode: string;
  role: string;
}

/** HELLO, which everybody may send, came with it. */
const OLDEST_MAJOR = 6;

/** What the server says of itself. */
export async function readGreeting(server: Sender): Promise<Greeting> {
  let reply: unknown;
  try {
    reply = await server.send(['HELLO']);
  } catch (error) {
    if (error instanceof Problem && error.kind === 'io') throw await tooOld(server);
    throw error;
  }
  const fields = Array.isArray(reply) ? reply : [];
  const field = (name: string) => String(fields[fields.indexOf(name) + 1] ?? '');
  return { version: field('version'), mode: field('mode'), role: field('role') };
}

/** Throws where another kind of server is there than the options say. */
export function checkGreeting({ version, mode, role }: Greeting, target: Target): void {
  const name = nameOf(target.address);
  const wrong = (reason: string) => new Problem('io', `${name} ${reason}`);
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) throw wrong(`has version ${version}, ${needed()}`);
  if (mode === target.mode) {
    if (mode === 'standalone' && role !== 'master')
      throw new Problem(
        'denied',
        `${name} is a replica, which takes no writes: name its master, or use 'sentinel'`,
      );
    return;
  }
  if (mode === 'cluster') throw wrong("is a node of a cluster: use 'cluster'");
  if (mode === 'sentinel') throw wrong("is a sentinel: use 'sentinel'");
  if (target.mode === 'cluster')
    throw wrong("is no cluster: use 'url', or 'host' and 'port', instead of 'cluster'");
  if (target.mode === 'sentinel')
    throw wrong("is no sentinel: use 'url', or 'host' and 'port', instead of 'sentinel'");
  throw wrong(`is a server of a kind that is not known here`);
}

async function tooOld(server: Sender): Promise<Problem> {
  const info = String(await server.send(['INFO', 'server']).catch(() => ''));
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  return new Problem(
    'io',
    `the server has ${version ? `version ${version}` : 'an old version'}, ${needed()}`,
  );
}

function needed(): string {
  return `and version ${OLDEST_MAJOR} or later is needed`;
}
