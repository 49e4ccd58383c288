/** A message: words in a line, the last of which is the length of the bytes that follow. */
export interface Message {
  words: string[];
  body: Buffer;
}

const LONGEST_LINE = 500;
const LONGEST_BODY = 2 ** 26;

export function encode(words: readonly string[], body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${words.join(' ')} ${body.byteLength}\n`), body]);
}

/** Puts messages together from what comes over a socket, in whatever pieces. */
export class MessageReader {
  #pieces: Buffer[] = [];
  #length = 0;
  #needed = 1;

  /** The messages that are whole now. Throws where something else than messages came. */
  push(data: Buffer): Message[] {
    this.#pieces.push(data);
    this.#length += data.byteLength;
    const messages: Message[] = [];
    while (this.#length >= this.#needed) {
      const whole = Buffer.concat(this.#pieces);
      this.#pieces = [whole];
      const message = this.#first(whole);
      if (!message) break;
      messages.push(message);
    }
    return messages;
  }

  #first(whole: Buffer): Message | undefined {
    const end = whole.indexOf('\n');
    const line = whole.toString('latin1', 0, end === -1 ? whole.length : end);
    if (line.length > LONGEST_LINE || !/^[\x20-\x7e]*$/.test(line)) throw new Error('This is no message.');
    if (end === -1) {
      this.#needed = this.#length + 1;
      return undefined;
    }
    const words = line.split(' ');
    const length = Number(words.pop());
    if (!Number.isInteger(length) || length < 0 || length > LONGEST_BODY)
      throw new Error('This is no message.');
    this.#needed = end + 1 + length;
    if (whole.length < this.#needed) return undefined;
    const body = whole.subarray(end + 1, this.#needed);
    this.#pieces = [whole.subarray(this.#needed)];
    this.#length -= this.#needed;
    this.#needed = 1;
    return { words, body };
  }
}
