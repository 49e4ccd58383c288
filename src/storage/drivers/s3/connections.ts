import { Agent as PlainAgent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';

/** The connections to a store, which are kept and used again. */
export class Connections {
  readonly plain: PlainAgent;
  readonly secure: SecureAgent;

  constructor(most: number) {
    const options = { keepAlive: true, maxSockets: most };
    this.plain = new PlainAgent(options);
    this.secure = new SecureAgent(options);
  }

  /** Those on which nothing is asked now: where one of them had ended unseen, others have too. */
  dropIdle(): void {
    for (const { freeSockets } of [this.plain, this.secure])
      for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /** All of them, whatever is asked on them. */
  close(): void {
    for (const agent of [this.plain, this.secure]) agent.destroy();
  }
}
