// Draws one node of a cluster as a tile: its GPUs as squares, filled to the power that they may
// draw, so that a cap is seen by its height and not by its colour alone.

import { lookOf, share } from './clusters'
import type { ClusterNode } from './clustertypes'
import { css, drawCell } from './paint'

/** Colours looked up once for a whole picture. */
export interface Palette {
  of: Map<string, string>
  ink: string
  line: string
  panel: string
}

export function palette(colors: string[]): Palette {
  return { of: new Map(colors.map((c) => [c, css(c)])), ink: css('--ink-2'), line: css('--line-2'), panel: css('--panel-2') }
}

/** Below this side a tile has no room for its GPUs one by one. */
export const detailed = 44

const head = 20 // for the name

function layout(s: number, gpus: number): { across: number; rows: number; cell: number } {
  const across = gpus > 8 ? 8 : 4
  return { across, rows: Math.ceil(gpus / across), cell: (s - 8) / across }
}

/** The height of a tile of side s whose node has so many GPUs. */
export function tileHeight(s: number, gpus: number): number {
  const { rows, cell } = layout(s, gpus)
  return Math.round(head + rows * cell + 4)
}

export function drawNode(c: CanvasRenderingContext2D, n: ClusterNode, p: Palette, x: number, y: number, s: number, h: number): void {
  const kind = lookOf(n)
  const color = p.of.get(kind.color) ?? '#888'
  if (s < detailed) {
    small(c, n, kind.look, color, x, y, s)
    return
  }
  c.fillStyle = p.panel
  c.fillRect(x, y, s, h)
  c.fillStyle = n.state === 'down' ? color : p.ink
  c.font = '11px Plex, Arial, sans-serif'
  c.textBaseline = 'top'
  c.fillText(clip(c, n.name, s - 8), x + 4, y + 4)
  const { across, cell } = layout(s, n.gpus)
  const top = y + head
  const gap = cell > 9 ? 2 : 1
  for (let i = 0; i < n.gpus; i++) {
    const gx = x + 4 + (i % across) * cell
    const gy = top + Math.floor(i / across) * cell
    gpu(c, n, i < n.gpus_used, color, p.line, gx, gy, cell - gap)
  }
  if (n.held) {
    c.fillStyle = p.of.get('--s-held') ?? '#888'
    c.fillRect(x, y, 3, h)
  }
}

function gpu(c: CanvasRenderingContext2D, n: ClusterNode, used: boolean, color: string, line: string, x: number, y: number, s: number): void {
  if (n.state === 'off' || n.state === 'down') {
    drawCell(c, n.state === 'off' ? 'low' : 'hatch', color, x, y, s)
    return
  }
  c.lineWidth = 1
  c.strokeStyle = used ? color : line
  c.strokeRect(x + 0.5, y + 0.5, s - 1, s - 1)
  if (!used) return
  const h = Math.max(1, Math.round(s * share(n)))
  c.fillStyle = color
  c.globalAlpha = n.state === 'stopping' || n.state === 'starting' ? 0.45 : 1
  c.fillRect(x, y + s - h, s, h)
  c.globalAlpha = 1
}

function small(c: CanvasRenderingContext2D, n: ClusterNode, look: string, color: string, x: number, y: number, s: number): void {
  const shapes = { idle: 'empty', off: 'low', down: 'cross', fenced: 'slash', moving: 'fall' } as const
  const shape = shapes[look as keyof typeof shapes]
  if (shape) {
    drawCell(c, shape, color, x, y, s)
    return
  }
  c.fillStyle = color
  c.globalAlpha = 0.25
  c.fillRect(x, y, s, s)
  c.globalAlpha = 1
  const h = Math.round(s * share(n))
  c.fillRect(x, y + s - h, s, h)
}

function clip(c: CanvasRenderingContext2D, text: string, width: number): string {
  if (c.measureText(text).width <= width) return text
  // The end of a machine's name tells it from its neighbours.
  let t = text
  while (t.length > 1 && c.measureText(`…${t}`).width > width) t = t.slice(1)
  return `…${t}`
}
