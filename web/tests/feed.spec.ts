import { bounded, collapse, span, summary, type FeedLine } from '../src/lib/feed'
import { expect, open, test } from './site'
import type { Mock } from '../mock/server.mjs'

let seq = 0
const line = (time: string, kind: string, subject: string, text: string, code = 'limit'): FeedLine => ({ at: `2026-03-02T${time}Z`, plan: 7, subject, kind, code, text, seq: --seq })
const groupOf = (s: string) => /^(.+)-\d+$/.exec(s)?.[1] ?? ''

test.describe('lines', () => {
  test('a wave is one row, and what differs in it stands alone', () => {
    const why = "because the hall's limit of 0.25 MW binds"
    const rows = collapse([
      line('10:02:00', 'confirm', 'a-2', 'run seen: hashing at 3.4 kW'),
      line('10:01:50', 'limit', 'hall', 'not above 0.25 MW'),
      line('10:01:40', 'confirm', 'a-1', 'run seen: hashing at 900 W'),
      line('10:01:00', 'command', 'a-2', `run, ${why}`),
      line('10:01:00', 'command', 'a-1', `run, ${why}`),
      line('10:01:00', 'command', 'b-1', `run, ${why}`),
      line('10:00:30', 'command', 'a-1', `sleep, ${why}`),
      line('10:00:20', 'limit', 'hall', 'not above 0.30 MW'),
    ], 300, groupOf)
    expect(rows.map((r) => [r.kind, r.devices, r.lines.length])).toEqual([['limit', 0, 1], ['confirm', 2, 2], ['command', 2, 2], ['command', 1, 1], ['command', 1, 1], ['limit', 0, 1]])
    expect(summary(rows[1]!.lines)).toBe('run seen')
    expect(summary(rows[2]!.lines)).toBe(`run, ${why}`)
  })

  test('a row ends with its span, and numbers that differ are not said of all', () => {
    const rows = collapse([line('10:05:00', 'award', 'a', 'a is given 3 MW'), line('10:04:59', 'award', 'a', 'a is given 2 MW'), line('10:04:00', 'award', 'a', 'a is given 1 MW')], 300, groupOf)
    expect(rows.map((r) => r.lines.length)).toEqual([1, 2])
    expect(summary([line('10:00:00', 'command', 'a-1', 'run at 2.9 kW, because x'), line('10:00:00', 'command', 'a-2', 'run at 3.1 kW, because x')])).toBe('run at … kW, because x')
    expect([1, 60, 240].map(span)).toEqual([300, 900, 3600])
  })

  test('a flood of commands does not push an alarm out', () => {
    const flood = Array.from({ length: 5000 }, (_, i) => line('10:00:00', 'command', `a-${i}`, 'sleep'))
    const kept = bounded([...flood, line('09:00:00', 'lost', 'meter', 'the meter is lost')])
    expect(kept.length).toBeLessThan(2000)
    expect(kept.at(-1)?.kind).toBe('lost')
  })
})

function wave(mock: Mock) {
  for (let i = 1; i <= 40; i++) mock.note(`s21-${String(i).padStart(3, '0')}`, 'command', 'sleep, because the price of 412 $/MWh is above its worth', 'price')
  mock.note('connection', 'lost', 'the meter of connection is lost')
}

test('forty commands are one line that opens, the alarm keeps its own', async ({ page, url, mock }) => {
  wave(mock)
  await open(page, url)
  const rows = page.locator('section[aria-label="Decisions"] > ol > li')
  const one = rows.filter({ hasText: '40 miners of S21' })
  await expect(one).toHaveCount(1)
  await expect(one).toContainText('sleep, because the price of 412')
  await expect(rows.filter({ hasText: 'the meter of connection is lost' })).toHaveClass(/alarm/)
  await one.getByRole('button', { name: /40 lines/ }).click()
  await expect(one.locator('li')).toHaveCount(40)
  await one.getByRole('button', { name: 's21-017' }).click()
  await expect(page.getByRole('dialog', { name: 's21-017' })).toBeVisible()
  await page.keyboard.press('Escape')
  await page.getByLabel('Show').selectOption({ label: 'all but routine' })
  await expect(one).toHaveCount(0)
  await expect(rows.filter({ hasText: 'the meter of connection is lost' })).toHaveCount(1)
})

test('what the grid asks and how the hours ahead are planned are kinds of their own', async ({ page, url, mock }) => {
  mock.note('connection', 'signal', 'vtn asks: not above 3 MW until 19:00')
  mock.note('schedule', 'schedule', 'the plan of the coming hours is followed')
  mock.note('connection', 'note', 'the feeder was washed')
  await open(page, url)
  const rows = page.locator('section[aria-label="Decisions"] > ol > li')
  const asked = rows.filter({ hasText: 'vtn asks' })
  const planned = rows.filter({ hasText: 'is followed' })
  await expect(asked).toHaveClass(/alarm/)
  await expect(planned).not.toHaveClass(/alarm|routine/)
  const icon = (row: typeof rows) => row.locator('svg path').first().getAttribute('d')
  const drawn = await Promise.all([asked, planned, rows.filter({ hasText: 'was washed' })].map(icon))
  expect(new Set(drawn).size).toBe(3)
  for (const [kind, only] of [['signal', asked], ['schedule', planned]] as const) {
    await page.getByLabel('Show').selectOption(kind)
    await expect(rows).toHaveCount(1)
    await expect(only).toBeVisible()
  }
})

for (const [width, height] of [[1440, 900], [1024, 768], [390, 844]] as const) {
  test(`the page ends with its content, ${width} wide`, async ({ page, url, mock }) => {
    for (let i = 0; i < 300; i++) mock.note('connection', 'note', `line ${i}`)
    await page.setViewportSize({ width, height })
    await open(page, url)
    await expect(page.locator('section[aria-label="Decisions"] li').first()).toBeVisible()
    const rest = () => page.evaluate(() => document.documentElement.scrollHeight - Math.max(innerHeight, document.querySelector('main')!.getBoundingClientRect().bottom + scrollY))
    expect(await rest()).toBeLessThanOrEqual(1)
    await page.locator('section[aria-label="Decisions"] > ol').evaluate((e) => e.scrollTo(0, 1e6))
    expect(await rest()).toBeLessThanOrEqual(1)
  })
}
