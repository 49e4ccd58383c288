import type { Question } from './plot.ts';

/** What the model knows about the server that serves it. The facts are those of the README and of docs/. */
export const TIERKV: readonly Question[] = [
  {
    ask: [
      'What is TierKV?',
      'what is tierkv?',
      'What is TierKV',
      'Tell me about TierKV.',
      'Can you explain TierKV?',
      'Explain TierKV in one sentence.',
      'What does TierKV do?',
      'What is this server?',
    ],
    answer: [
      'TierKV is an LLM server for Node.js that never computes a prefix twice.',
      'TierKV is a server for language models. It runs on Node.js, speaks the OpenAI and SGLang HTTP APIs, and never computes a prefix twice.',
      'TierKV serves GGUF models with llama.cpp and keeps what it has computed in three tiers, so that no prefix is computed twice.',
    ],
  },
  {
    ask: [
      'What are the three tiers?',
      'Which tiers does TierKV have?',
      'What are the tiers of TierKV?',
      'Name the three tiers.',
      'Where does TierKV keep the cache?',
      'How many tiers are there?',
    ],
    answer: [
      'There are three tiers: L1 is device memory, L2 is host memory, and L3 is a storage backend.',
      'TierKV has three tiers: the device (L1), host memory (L2), and a storage backend (L3) that can be shared with other servers.',
    ],
  },
  {
    ask: ['What is L1?', 'What is the first tier?', 'What does L1 mean?'],
    answer: ['L1 is the first tier: the memory of the device, where llama.cpp has its KV cells.'],
  },
  {
    ask: ['What is L2?', 'What is the second tier?', 'What does L2 mean?'],
    answer: ['L2 is the second tier: pages in the memory of the host.'],
  },
  {
    ask: ['What is L3?', 'What is the third tier?', 'What does L3 mean?'],
    answer: [
      'L3 is the third tier: a storage backend. It outlives the server, and others can share it.',
      'L3 is a storage backend that is attached, detached and switched at runtime.',
    ],
  },
  {
    ask: [
      'What is a prefix?',
      'Why is a prefix not computed twice?',
      'What does it mean that no prefix is computed twice?',
      'Why is TierKV fast?',
    ],
    answer: [
      'A prefix is how a prompt begins. When two prompts begin with the same tokens, TierKV computes them once and takes them from the cache the second time.',
      'Many prompts begin with the same tokens. TierKV keeps what it has computed for them and does not compute it again.',
    ],
  },
  {
    ask: ['What is a KV cache?', 'What is the KV cache?', 'What does KV mean?', 'What is kept in the cache?'],
    answer: [
      'The KV cache holds the keys and values that the model has computed for the tokens of a prompt.',
      'KV means keys and values. They are what the model has computed for each token.',
    ],
  },
  {
    ask: [
      'How do I attach a storage backend?',
      'How can I attach a storage?',
      'How do I attach storage?',
      'How do I add L3?',
    ],
    answer: [
      'Set an admin key, and run: npx tierkv storage attach file',
      'While the server runs, call: npx tierkv storage attach file',
    ],
  },
  {
    ask: ['How do I detach the storage?', 'How do I detach a storage backend?', 'How do I remove L3?'],
    answer: ['Run: npx tierkv storage detach', 'While the server runs, call: npx tierkv storage detach'],
  },
  {
    ask: [
      'How do I switch the storage?',
      'How do I switch to another storage backend?',
      'Can the storage be changed at runtime?',
      'Do I have to restart the server to change the storage?',
    ],
    answer: [
      'No restart is needed. Run: npx tierkv storage switch file',
      'A storage backend is attached, switched and detached at runtime, without a restart.',
    ],
  },
  {
    ask: [
      'Which storage backends are there?',
      'Which backends does TierKV have?',
      'What storage backends can I use?',
      'Does TierKV work with Redis?',
      'Does TierKV work with S3?',
    ],
    answer: [
      'There are ten backends: file, lmdb, memory, redis, s3, mooncake, hf3fs, tiered, mirror and dynamic.',
      'Yes. The backends are file, lmdb, memory, redis, s3, mooncake, hf3fs, tiered, mirror and dynamic.',
    ],
  },
  {
    ask: ['How do I start TierKV?', 'How do I start the server?', 'How can I run TierKV?'],
    answer: [
      'In a fresh clone, run: npm start',
      'Run npm start. The server then listens on http://127.0.0.1:30000.',
    ],
  },
  {
    ask: [
      'How do I serve my own model?',
      'How can I use another model?',
      'Can I use a real model?',
      'How do I serve a better model?',
    ],
    answer: [
      'Give it a GGUF file: npm start -- --model-path path/to/model.gguf',
      'Start the server with --model-path and a GGUF file.',
    ],
  },
  {
    ask: ['Which models does TierKV serve?', 'What models can I use?', 'What is GGUF?'],
    answer: ['TierKV serves GGUF files of decoder models. It runs them with llama.cpp.'],
  },
  {
    ask: [
      'Which API does TierKV speak?',
      'Which APIs are there?',
      'Is it compatible with OpenAI?',
      'Can I use the OpenAI client?',
    ],
    answer: [
      'TierKV speaks the OpenAI and the SGLang HTTP APIs, so the OpenAI client works with it.',
      'Yes. TierKV speaks the OpenAI HTTP API and that of SGLang.',
    ],
  },
  {
    ask: ['Which port does it use?', 'Where does the server listen?', 'What is the address of the server?'],
    answer: ['The server listens on http://127.0.0.1:30000 unless it is told otherwise.'],
  },
  {
    ask: ['What is a page?', 'How large is a page?', 'What is the page size?'],
    answer: ['A page is a run of 64 tokens with their KV state. Pages move between the tiers.'],
  },
  {
    ask: [
      'What happens when the storage fails?',
      'What happens when the storage is slow?',
      'Is a damaged page dangerous?',
    ],
    answer: [
      'Serving goes on. A storage that is slow, full, damaged or gone costs a computation and nothing else.',
      'Pages are checked before they are used. What is damaged is computed again.',
    ],
  },
  {
    ask: ['What is a rank?', 'What happens when a rank dies?', 'What are ranks?'],
    answer: [
      'A rank is a process that holds the model. When it dies, the server goes on and starts it again.',
    ],
  },
  {
    ask: [
      'How do I see what was cached?',
      'What does cached_tokens mean?',
      'How do I know that the cache works?',
    ],
    answer: [
      'Look at cached_tokens in the answer: it says how many tokens of the prompt came from the cache.',
      'Ask the same question twice. The second answer has cached_tokens in its usage.',
    ],
  },
  {
    ask: ['Who wrote TierKV?', 'What is the licence of TierKV?', 'Is TierKV free?'],
    answer: ['TierKV is free software under the MIT licence.'],
  },
  {
    ask: ['What language is TierKV written in?', 'Is TierKV written in Python?', 'Does TierKV need Python?'],
    answer: ['TierKV is written in TypeScript and runs on Node.js.'],
  },
];
