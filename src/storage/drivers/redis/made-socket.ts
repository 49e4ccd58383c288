import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';

const CHANNEL = 'net.client.socket';

/**
 * The socket that is made while some work begins: who makes it keeps it for itself, and Node.js tells of every one.
 *
 * @param begin makes it before it waits for anything
 */
export function madeSocket<T>(begin: () => T): { begun: T; socket: Socket | undefined } {
  let socket: Socket | undefined;
  const notice = (message: unknown) => {
    const { socket: made } = message as { socket?: unknown };
    if (made instanceof Socket) socket = made;
  };
  subscribe(CHANNEL, notice);
  try {
    const begun = begin();
    return { begun, socket };
  } finally {
    unsubscribe(CHANNEL, notice);
  }
}
