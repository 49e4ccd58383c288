import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterAll } from 'vitest';

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing.splice(0)) close();
});

/** What a server of version 7 says to HELLO. */
export const GREETING =
  '*6\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n';

const CLUSTER_GREETING = GREETING.replace('$10\r\nstandalone', '$7\r\ncluster');

type Answer = (command: string[], socket: Socket) => string | undefined;

/**
 * A server on loopback that speaks as told.
 *
 * @param reply to a command, which is its words; undefined is none
 * @param greet sent to whoever connects
 * @returns its port
 */
export async function fakeRedis(reply: Answer, greet?: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    greet?.(socket);
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let command = takeCommand(); command; command = takeCommand()) {
        const answer = reply(command, socket);
        if (answer !== undefined && !socket.destroyed) socket.write(answer);
      }
    });
    function takeCommand(): string[] | undefined {
      const [head = '', count = 0] = /^\*(\d+)\r\n/.exec(text) ?? [];
      const words: string[] = [];
      let at = head.length;
      while (words.length < Number(count)) {
        const [length = '', bytes = 0] = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20)) ?? [];
        const end = at + length.length + Number(bytes);
        if (length === '' || text.length < end + 2) return undefined;
        words.push(text.slice(at + length.length, end));
        at = end + 2;
      }
      text = text.slice(at);
      return words.length > 0 ? words : undefined;
    }
  });
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

interface FakeNode {
  /** What it says that serves which slots. */
  slots: () => readonly { first: number; last: number; port: number }[];
  /** The name of the key that a listing finds. */
  name: string;
  /** Instead of what it answers otherwise. */
  instead?: Answer;
}

/**
 * A node of a cluster that has every key that it is asked for.
 *
 * @returns its port
 */
export function fakeClusterNode({ slots, name, instead }: FakeNode): Promise<number> {
  return fakeRedis((command, socket) => {
    const answer = instead?.(command, socket);
    if (answer !== undefined) return answer;
    switch (command[0]) {
      case 'HELLO':
        return CLUSTER_GREETING;
      case 'CLUSTER':
        return slotsReply(slots());
      case 'EXISTS':
        return ':1\r\n';
      case 'SCAN':
        return `*2\r\n$1\r\n0\r\n*1\r\n$${name.length}\r\n${name}\r\n`;
      default:
        return '+OK\r\n';
    }
  });
}

function slotsReply(ranges: ReturnType<FakeNode['slots']>): string {
  const rows = ranges.map(
    ({ first, last, port }) => `*3\r\n:${first}\r\n:${last}\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`,
  );
  return `*${rows.length}\r\n${rows.join('')}`;
}
