import { unlessAborted } from '../../concurrency.ts';
import { nameOf } from './connect-problems.ts';
import { ASK_MS, Late, within } from './limits.ts';
import { Link, type Redis, type Target } from './link.ts';
import { Problem } from './problems.ts';
import type { Address, Settings } from './settings.ts';

/**
 * Connects to the master that a sentinel names. All are asked at the same time, as some may not answer; one that is cut
 * off from the others may still name the server that was the master before, which then says that it is none.
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
  const found = new AbortController();
  const others = AbortSignal.any([signal, found.signal]);
  const ways = settings.addresses.map(async (address) => {
    const { credentials } = sentinel;
    const { addressOptions: options } = settings;
    const asked: Target = { address, mode: 'sentinel', credentials, db: 0, tls: master.tls, options };
    const ask = (inner: AbortSignal) => askForMaster(redis, asked, sentinel.name, inner);
    const named = await within(ASK_MS, others, ask).catch((error) => {
      throw error instanceof Late ? error.of(nameOf(address), options) : error;
    });
    const announced = `what the sentinel ${nameOf(address)} announces`;
    return await Link.make(redis, { ...master, address: named, options: announced }, others);
  });
  try {
    const link = await Promise.any(ways);
    found.abort();
    // Two may have connected at the same moment.
    for (const way of ways) way.then((other) => other !== link && other.close(), nothing);
    return link;
  } catch (error) {
    signal.throwIfAborted();
    const problems = error instanceof AggregateError ? error.errors : [error];
    throw problems.reduce(moreTelling, new Problem('unreachable', 'there are no sentinels'));
  }
}

const nothing = () => undefined;

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
