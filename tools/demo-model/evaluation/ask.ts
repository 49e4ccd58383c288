import type { Message } from '../corpus/conversation.ts';

/** How an answer ended, and what it says. */
export interface Answer {
  readonly text: string;
  /** The model said that it was done. */
  readonly ended: boolean;
}

/** What is chosen of the likely tokens; 0 always takes the likeliest. */
export interface Sampling {
  readonly temperature: number;
  readonly seed: number;
}

interface Completion {
  readonly choices: readonly [
    { readonly message: { readonly content: string }; readonly finish_reason: string },
  ];
}

const DEADLINE_MS = 120_000;
/** Far more than any story has. */
const MOST_TOKENS = 600;

/** Asks a running server for the next message of a conversation. */
export async function ask(url: string, messages: readonly Message[], sampling: Sampling): Promise<Answer> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages, max_tokens: MOST_TOKENS, ...sampling }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const {
    choices: [{ message, finish_reason }],
  } = (await response.json()) as Completion;
  return { text: message.content, ended: finish_reason === 'stop' };
}
