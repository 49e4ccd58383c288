import type { StorageErrorKind } from '../../driver.ts';
import type { RestAnswer } from './rest-client.ts';

/** An answer that is not what was asked for. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  /** Whether it is an error as the service says it. */
  readonly isService: boolean;

  constructor(answer: RestAnswer) {
    const error = errorOf(answer);
    super(`The service answered with status ${answer.status}${error ? `: ${error}` : ''}.`);
    this.status = answer.status;
    this.isService = error !== undefined;
  }

  get kind(): StorageErrorKind {
    if (this.status === 401 || this.status === 403) return 'denied';
    if (this.status === 413) return 'size';
    return [502, 503, 504].includes(this.status) ? 'unreachable' : 'io';
  }
}

/** What went wrong, where the service says it as it does. */
export function errorOf(answer: RestAnswer): string | undefined {
  const error = jsonOf(answer)?.error;
  return typeof error === 'string' ? error.slice(0, 200) : undefined;
}

export function jsonOf({ body }: RestAnswer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
