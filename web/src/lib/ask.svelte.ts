// A question to the controller whose answer may be late: the newest question wins, the answer
// before it stays on the screen, and only what is slow is said.

import { ApiError } from './api'

const slowMs = 300

export class Asked<T> {
  value = $state.raw<T | null>(null)
  /** What is wrong and what to do; empty where the newest answer was good. */
  problem = $state('')
  /** The question itself is not understood: asking again would not help. */
  refused = $state(false)
  /** The answer has been awaited for so long that a person should be told. */
  slow = $state(false)
  private turn = 0
  private waiting: AbortController | null = null
  private timer = 0

  /** Asks, and drops what was asked before. Never throws. quiet: nobody waits for it. */
  async ask(f: (stop: AbortSignal) => Promise<T>, quiet = false): Promise<void> {
    const turn = ++this.turn
    this.waiting?.abort()
    const stop = new AbortController()
    this.waiting = stop
    clearTimeout(this.timer)
    if (!quiet) this.timer = window.setTimeout(() => (this.slow = true), slowMs)
    try {
      const v = await f(stop.signal)
      if (turn !== this.turn) return
      this.value = v
      this.problem = ''
      this.refused = false
    } catch (err) {
      if (turn !== this.turn) return
      this.problem = (err as Error).message
      this.refused = err instanceof ApiError && (err.status === 400 || err.status === 422)
    }
    this.rest()
  }

  /** Asks again where nothing is under way: for values that are renewed every few seconds. */
  async renew(f: (stop: AbortSignal) => Promise<T>): Promise<void> {
    if (!this.waiting && !document.hidden) await this.ask(f, true)
  }

  /** Drops what is under way; for the end of a screen. */
  drop(): void {
    this.turn++
    this.waiting?.abort()
    this.rest()
  }

  private rest(): void {
    this.waiting = null
    clearTimeout(this.timer)
    this.slow = false
  }
}
