export interface Change {
  method: string
  path: string
  body: unknown
  guard: string
}

export class Mock {
  constructor(options?: { speed?: number; start?: string; extra?: number; fleetSize?: number })
  requests: Change[]
  /** How late the answers about miners come. */
  slowMs: number
  site: { nodes: { id: string }[]; groups: { id: string; devices: number }[]; tenants: { id: string }[] }
  listen(port?: number): Promise<string>
  close(): Promise<void>
  down(ms: number): void
  /** Adds a decision to the feed. */
  note(subject: string, kind: string, text: string, code?: string): void
}
