/**
 * One segment of the radix tree: tokens that follow its parent's, in whole pages. A tail is a node with less than a
 * page; it has no key and no children. On the host it is one page that ends where the tail does, and so begins inside of
 * its parent.
 *
 * Every node is on the device, or on the host, or on both. The nodes on the device form a tree from the root, and so
 * do the nodes on the host.
 */
export class Node {
  parent: Node | undefined;
  /** Tokens before it. */
  start: number;
  tokens: Int32Array;
  /** One key per page; none for a tail and the root. */
  keys: string[];
  /** By the key of their first page. */
  readonly children = new Map<string, Node>();
  /** Children of less than a page. */
  readonly tails = new Set<Node>();
  /** Children that are on the device, tails among them. */
  readonly deviceChildren = new Set<Node>();
  /** How many children are on the host, tails among them. */
  hostChildren = 0;
  onDevice = false;
  /** The sequence that holds the cells from the root to here: on a device leaf only, else -1. */
  holder = -1;
  /** One slot of host memory per page; one for a tail. */
  slots: Int32Array | undefined;
  /** Requests that use it or something below it. */
  locks = 0;
  hits = 0;
  /** Count of uses in the tree when it was last used. */
  lastUse = 0;
  priority = 0;

  constructor(parent: Node | undefined, start: number, tokens: Int32Array, keys: string[]) {
    this.parent = parent;
    this.start = start;
    this.tokens = tokens;
    this.keys = keys;
  }

  /** Tokens up to its end. */
  get end(): number {
    return this.start + this.tokens.length;
  }

  get isRoot(): boolean {
    return this.parent === undefined;
  }

  get isTail(): boolean {
    return this.keys.length === 0 && !this.isRoot;
  }

  get onHost(): boolean {
    return this.slots !== undefined;
  }

  get isDeviceLeaf(): boolean {
    return this.onDevice && this.deviceChildren.size === 0;
  }

  get isHostLeaf(): boolean {
    return this.slots !== undefined && this.hostChildren === 0;
  }
}
