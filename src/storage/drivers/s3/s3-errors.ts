import type { Failed, StorageErrorKind } from '../../driver.ts';
import { failed } from '../../results.ts';

/** By the code of S3, or of the system. */
const KINDS_OF_CODES = new Map<string, StorageErrorKind>([
  ['QuotaExceeded', 'full'],
  ['XMinioStorageFull', 'full'],
  ['XMinioAdminBucketQuotaExceeded', 'full'],
  ['EntityTooLarge', 'size'],
  ['AccessDenied', 'denied'],
  ['ExpiredToken', 'denied'],
  ['CredentialsProviderError', 'denied'],
  ['NoSuchBucket', 'unreachable'],
  ['SlowDown', 'unreachable'],
  ['TimeoutError', 'unreachable'],
  ['ECONNREFUSED', 'unreachable'],
  ['ECONNRESET', 'unreachable'],
  ['EPIPE', 'unreachable'],
  ['ETIMEDOUT', 'unreachable'],
  ['ENOTFOUND', 'unreachable'],
  ['EAI_AGAIN', 'unreachable'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
]);

const KINDS_OF_STATUSES = new Map<number, StorageErrorKind>([
  [401, 'denied'],
  [403, 'denied'],
  [413, 'size'],
  [429, 'unreachable'],
  [502, 'unreachable'],
  [503, 'unreachable'],
  [504, 'unreachable'],
  [507, 'full'],
]);

/** A code says more than a status: quotas come with several. */
export function kindOf(code: string, status?: number): StorageErrorKind {
  return KINDS_OF_CODES.get(code) ?? KINDS_OF_STATUSES.get(status ?? 0) ?? 'io';
}

const LONGEST_MESSAGE = 300;

/** What went wrong with a request, whatever it was that the SDK threw. */
export class S3Error extends Error {
  /** Of S3 or of the system; empty where the answer had none, as that of a web server. */
  readonly code: string;
  /** Of the answer; undefined where none came. */
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  readonly #needs: string | undefined;

  /** @param needs the permission of AWS that the request needs */
  constructor(error: unknown, needs?: string) {
    const { name, code = name, message, $metadata, $response } = fieldsOf(error);
    const status = $metadata?.httpStatusCode ?? $response?.statusCode;
    const word = status === undefined ? code : NAMELESS.test(name) ? '' : name;
    super(messageOf(word, status, message), { cause: error });
    this.code = word;
    this.status = status;
    this.headers = $response?.headers ?? {};
    this.#needs = needs;
  }

  /** The error itself where it is one of these. */
  static of(error: unknown): S3Error {
    return error instanceof S3Error ? error : new S3Error(error);
  }

  toFailed(): Failed {
    const kind = kindOf(this.code, this.status);
    const isDenied = kind === 'denied' && this.#needs !== undefined;
    return failed(kind, isDenied ? `${this.message} It needs ${this.#needs}.` : this.message);
  }
}

/** What the SDK calls an answer without a code. */
const NAMELESS = /^(?:Unknown|UnknownError|Error|SyntaxError|\d+)$/;

function messageOf(code: string, status: number | undefined, message: string): string {
  if (code === '') return `The store answered HTTP ${status} without a word of S3.`;
  const words = message === 'UnknownError' ? '' : message.slice(0, LONGEST_MESSAGE);
  return `${code}${status === undefined ? '' : `, HTTP ${status}`}: ${words}`;
}

interface Fields {
  name: string;
  code?: string;
  message: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

function fieldsOf(error: unknown): Fields {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { code } = error as { code?: unknown };
  const { $metadata, $response } = error as Partial<Fields>;
  return {
    name: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    ...($metadata && { $metadata }),
    ...($response && { $response }),
  };
}
