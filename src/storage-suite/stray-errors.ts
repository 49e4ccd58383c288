/** What reaches the process because nobody handles it, which ends one that does not listen. */
export interface StrayErrors {
  readonly seen: readonly string[];
  stop(): void;
}

/** Listens to rejections and errors that nobody handles, in place of the process's end. */
export function watchStrayErrors(): StrayErrors {
  const seen: string[] = [];
  const rejected = (reason: unknown) => void seen.push(`a rejection that nobody handles: ${String(reason)}`);
  const thrown = (error: unknown) => void seen.push(`an error that nobody handles: ${String(error)}`);
  process.on('unhandledRejection', rejected);
  process.on('uncaughtException', thrown);
  return {
    seen,
    stop() {
      process.off('unhandledRejection', rejected);
      process.off('uncaughtException', thrown);
    },
  };
}
