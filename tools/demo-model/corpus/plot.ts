import type { Cast } from './cast.ts';
import type { Draw } from './draw.ts';

/** One of these is said. */
export type Ways = readonly string[];

/** Something that can be asked about a story. */
export interface Question {
  readonly ask: Ways;
  readonly answer: Ways;
}

/** What happens in a story: its beats in order, and what can be asked about them. */
export interface Plot {
  readonly beats: readonly Ways[];
  readonly questions: readonly Question[];
  /** How it ended, as one sentence. */
  readonly end: string;
}

/** Makes a plot for a cast; draws the things that only this plot has. */
export type PlotMaker = (cast: Cast, draw: Draw) => Plot;
