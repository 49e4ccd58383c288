import { DatabaseSync } from 'node:sqlite';

const KEY = /^[a-z0-9_-][a-z0-9._-]*(?:\/[a-z0-9_-][a-z0-9._-]*)*$/;
/** What SQLite takes in one value, less a little. */
const LARGEST = 900_000_000;
const PORTION = 1000;

/**
 * A storage plugin of TierKV: pages in one SQLite file, which any number of ranks and servers of one machine may share.
 * Nothing is evicted. Its calls block, which keeps nobody waiting: a plugin has a thread of its own.
 */
export class SqlitePages {
  name = 'sqlite';
  capabilities = Object.freeze({ batch: 128, largestValue: LARGEST, list: true });
  #options;
  #isClosed = false;
  #database;
  #statements;

  /** @param options everything of the configuration that is not TierKV's: here `path`, the database file */
  constructor(options) {
    const { path, ...unknown } = options;
    if (typeof path !== 'string') throw new Error("'path' must be the path of a database file");
    const [name] = Object.keys(unknown);
    if (name !== undefined) throw new Error(`'${name}' is not known here; known is: path`);
    this.#options = { path };
  }

  async open() {
    if (this.#isClosed) throw refusal('It was closed, which is for good.');
    try {
      this.#database = this.#openDatabase();
    } catch (error) {
      throw refusal(`check 'path': ${error.message}`);
    }
  }

  async close() {
    this.#isClosed = true;
    this.#database?.close();
    this.#database = undefined;
  }

  async has(keys, signal) {
    return keys.map((key) => this.#one(key, signal, () => found(this.#statements.has.get(key))));
  }

  async read(reads, signal) {
    return reads.map(({ key, into }) =>
      this.#one(key, signal, () => {
        const row = this.#statements.read.get(key);
        return row ? fill(into, row.value) : { status: 'miss' };
      }),
    );
  }

  async write(writes, signal) {
    return writes.map(({ key, parts }) =>
      this.#one(key, signal, () => {
        const value = Buffer.concat(parts);
        if (value.length > LARGEST) return failed('size', 'SQLite takes no value of this size.');
        this.#statements.write.run(key, value);
        return { status: 'stored' };
      }),
    );
  }

  async remove(keys, signal) {
    return keys.map((key) =>
      this.#one(key, signal, () => {
        const { changes } = this.#statements.remove.run(key);
        return { status: changes > 0 ? 'removed' : 'miss' };
      }),
    );
  }

  async list(cursor = '') {
    if (!this.#database) throw refusal('It is not open.');
    const keys = this.#statements.list.all(cursor, PORTION).map(({ key }) => key);
    return { keys, next: keys.length < PORTION ? undefined : keys.at(-1) };
  }

  #openDatabase() {
    // Somebody else may be writing: then SQLite waits so many milliseconds.
    const database = new DatabaseSync(this.#options.path, { timeout: 2000 });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
    database.exec('CREATE TABLE IF NOT EXISTS pages (key TEXT PRIMARY KEY, value BLOB NOT NULL)');
    this.#statements = {
      has: database.prepare('SELECT 1 FROM pages WHERE key = ?'),
      read: database.prepare('SELECT value FROM pages WHERE key = ?'),
      write: database.prepare('INSERT OR REPLACE INTO pages VALUES (?, ?)'),
      remove: database.prepare('DELETE FROM pages WHERE key = ?'),
      list: database.prepare('SELECT key FROM pages WHERE key > ? ORDER BY key LIMIT ?'),
    };
    return database;
  }

  /** What goes wrong with one key is its result: calls never reject. */
  #one(key, signal, work) {
    if (!this.#database) return failed('closed', 'It is not open.');
    if (signal.aborted) return failed('aborted', 'The call was aborted.');
    if (!KEY.test(key) || key.length > 200) return failed('io', 'This is no key.');
    try {
      return work();
    } catch (error) {
      return failed(error.errcode === SQLITE_FULL ? 'full' : 'io', error.message);
    }
  }
}

const SQLITE_FULL = 13;

/** The one error that `open` and `list` may throw. */
const refusal = (reason) => Object.assign(new Error(reason), { code: 'storage_failed' });
const found = (row) => ({ status: row ? 'hit' : 'miss' });
const failed = (kind, message) => ({ status: 'error', error: { kind, message } });

/** Copies a value into buffers, one after the other. */
function fill(into, value) {
  let at = 0;
  for (const buffer of into) {
    buffer.set(value.subarray(at, at + buffer.byteLength));
    at += buffer.byteLength;
  }
  if (value.byteLength > at) return failed('size', 'The value does not fit into the buffers.');
  return { status: 'hit', bytes: value.byteLength };
}
