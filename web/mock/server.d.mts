export interface Change {
  method: string
  path: string
  body: unknown
  guard: string
}

export class Mock {
  constructor(options?: { speed?: number; start?: string; extra?: number; fleetSize?: number; hasAhead?: boolean; hasClusters?: boolean; hasStudies?: boolean })
  requests: Change[]
  /** Everything asked for by somebody who is logged in: "<name> <method> <path>". */
  seen: string[]
  /** Power is short: the cluster's jobs are capped and paused. */
  short: boolean
  /** The cluster's engine does not answer. */
  unreachable: boolean
  /** A tenant's promise is broken this month. */
  broken: boolean
  /** How late the answers about miners come. */
  slowMs: number
  /** How the plan came about: milp, lp, merit, static; none: there is none yet; off: none is made. */
  planned: 'milp' | 'lp' | 'merit' | 'static' | 'none' | 'off'
  notes: string[]
  /** The tenant gives power back at the spike. */
  curtails: boolean
  /** More reserve is sold than the plan can hold. */
  oversold: boolean
  /** Signals beside those of every day; times in site seconds. */
  asks: { source: string; id: string; kind: 'price' | 'limit' | 'reserve'; from: number; to: number | null; node?: string; power_w?: number; price_usd?: number; emergency?: boolean; note?: string; released?: boolean }[]
  refused: { at: string; source: string; text: string }[]
  /** Investment studies: what runs is brought so far by the test. */
  studies: { list(): { id: string; state: string }[]; reach(id: string, done: number): void; fail(id: string, error: string): void; interrupt(id: string, times: number, runs: boolean): void; remove(id: string): unknown }
  /** Power taken back from tenants. Times in site seconds. */
  curtail: {
    rights: unknown[]
    calls: { id: string; tenant: string; from: number; to: number; power_w: number; baseline_w: number; told: number; seen: number | null; withdrawn: number | null; by: string; why: string; consent: string; given_w: number | null }[]
    /** The sentence with which the next call is refused. */
    refuses: string
    /** The tenants' meters tell nothing. */
    silent: boolean
    /** Whether tenants do as they are asked. */
    follows: boolean
    proposes: boolean
  }
  /** Site time, seconds since 1970. */
  now(): number
  site: { nodes: { id: string }[]; groups: { id: string; devices: number }[]; tenants: { id: string }[] }
  listen(port?: number): Promise<string>
  close(): Promise<void>
  down(ms: number): void
  /** Adds a decision to the feed. */
  note(subject: string, kind: string, text: string, code?: string): void
}
