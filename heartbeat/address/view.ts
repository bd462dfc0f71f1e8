/** What `GET /status` says of the virtual addresses of this host. */
export interface VipView {
  /** Whether this host has all of them, as the kernel shows it. */
  readonly held: boolean;
  readonly addresses: readonly {
    /** With the length of its prefix. */
    readonly address: string;
    readonly interface: string;
    readonly held: boolean;
  }[];
  /** What went wrong with the last command; null when nothing did. */
  readonly problem: string | null;
}
