import type { CachedTokens } from '../shared/messages.ts';
import type { Node } from './node.ts';
import type { Prefix } from './prefix.ts';
import type { FoundTokens } from './radix-tree.ts';

/** A request's hold on the cache, from admission to its end. Only the cache changes it. */
export interface Lease {
  readonly prefix: Prefix;
  readonly priority: number;
  /** The sequence that the request computes in; -1 before the lease is filled. */
  readonly sequence: number;
  /** Tokens at the prefix' start that the sequence holds already, when the lease is filled; always less than all. */
  readonly cached: Readonly<CachedTokens>;
}

/** The cache's own view of it. */
export class OpenLease implements Lease {
  readonly prefix: Prefix;
  readonly priority: number;
  sequence = -1;
  cached: CachedTokens = { device: 0, host: 0, storage: 0 };
  /** The deepest node that is the request's; locked. */
  node: Node;
  /** A node whose first tokens are the request's; locked until the sequence shares them. */
  source: Node | undefined;
  /** What goes on behind `node` with tokens that only L2 holds, and so many of them; locked until they are loaded. */
  part: FoundTokens | undefined;
  /** Tokens on the device when it was reserved. */
  deviceTokens: number;
  /** Leading positions of the sequence whose cells are those of the tree. */
  shared = 0;
  publishedPages = -1;

  constructor(prefix: Prefix, priority: number, node: Node, source: Node | undefined, deviceTokens: number) {
    this.prefix = prefix;
    this.priority = priority;
    this.node = node;
    this.source = source;
    this.deviceTokens = deviceTokens;
  }
}
