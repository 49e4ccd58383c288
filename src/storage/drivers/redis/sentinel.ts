import { unlessAborted } from '../../concurrency.ts';
import { nameOf } from './connect-problems.ts';
import { ASK_MS, within } from './limits.ts';
import { Link, type Redis, type Target } from './link.ts';
import { Problem } from './problems.ts';
import type { Address, Settings } from './settings.ts';

/**
 * Connects to the master that a sentinel names. Sentinels are asked one after the other: one that is cut off from the
 * others may still name the server that was the master before, which then says that it is none.
 *
 * @param master where its address is not known yet
 */
export async function connectToMaster(
  redis: Redis,
  settings: Settings,
  sentinel: NonNullable<Settings['sentinel']>,
  master: Omit<Target, 'address' | 'options'>,
  signal: AbortSignal,
): Promise<Link> {
  let problem = new Problem('unreachable', 'there are no sentinels');
  for (const address of settings.addresses) {
    const asked: Target = {
      address,
      mode: 'sentinel',
      credentials: sentinel.credentials,
      db: 0,
      tls: master.tls,
      options: settings.addressOptions,
    };
    try {
      const found = await within(ASK_MS, signal, (inner) => askForMaster(redis, asked, sentinel.name, inner));
      const options = `what the sentinel ${nameOf(address)} announces`;
      return await Link.make(redis, { ...master, address: found, options }, signal);
    } catch (error) {
      signal.throwIfAborted();
      problem = moreTelling(problem, error);
    }
  }
  throw problem;
}

async function askForMaster(
  redis: Redis,
  target: Target,
  name: string,
  signal: AbortSignal,
): Promise<Address> {
  let link: Link | undefined;
  try {
    link = await Link.make(redis, target, signal);
    const reply = await unlessAborted(link.send(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]), signal);
    if (Array.isArray(reply)) return { host: String(reply[0]), port: Number(reply[1]) };
    throw new Problem(
      'io',
      `the sentinel ${nameOf(target.address)} knows no such master: check 'sentinel.name'`,
    );
  } catch (error) {
    throw error instanceof Problem && error.kind === 'denied' ? ofSentinel(error) : error;
  } finally {
    link?.close();
  }
}

/** What says more than that nobody is there comes first. */
function moreTelling(before: Problem, error: unknown): Problem {
  if (!(error instanceof Problem)) return before;
  return before.kind === 'unreachable' || error.kind !== 'unreachable' ? error : before;
}

function ofSentinel({ kind, message }: Problem): Problem {
  const options = message
    .replaceAll("'username'", "'sentinel.username'")
    .replaceAll("'password'", "'sentinel.password'");
  return new Problem(kind, `a sentinel says: ${options}`);
}
