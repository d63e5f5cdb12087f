import { expect, open, test } from './site'
import type { Page } from '@playwright/test'

test.use({ siteOptions: { speed: 1 } })

async function clusters(page: Page, url: string, token = 'operator'): Promise<void> {
  await open(page, url, token)
  await page.getByRole('link', { name: 'Clusters' }).click()
  await expect(page.getByTestId('cluster-gpu')).toBeVisible()
}

/** The colour in the middle of the first GPU of a node, by its place in the grid. */
function gpu(page: Page, i: number, height: number): Promise<number[]> {
  return page.getByTestId('nodes-gpu').evaluate(
    (c, [i, height]) => {
      const from = c as HTMLCanvasElement
      const k = new OffscreenCanvas(from.width, from.height).getContext('2d', { willReadFrequently: true })!
      k.drawImage(from, 0, 0)
      const ratio = from.width / from.clientWidth
      const pitch = Number(from.dataset.pitch)
      const columns = Math.round(from.clientWidth / pitch)
      const rows = Math.ceil(Number(from.dataset.nodes) / columns)
      const tall = from.clientHeight / rows
      const cell = (pitch - 12) / 4
      const x = (i! % columns) * pitch + 2 + 4 + cell / 2
      const y = Math.floor(i! / columns) * tall + 2 + 20 + cell * height!
      return [...k.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data].slice(0, 3)
    },
    [i, height],
  )
}

test('a cluster at ease says so, and asks nothing of its jobs', async ({ page, url }) => {
  await clusters(page, url)
  await expect(page).toHaveTitle(/^Clusters · Millbrook Station/)
  await expect(page.getByTestId('cluster-gpu')).toHaveText('All jobs run at full power.')
  await expect(page.getByText('Nothing is asked of this cluster')).toBeVisible()
  await expect(page.getByTestId('jobs').locator('tbody tr')).toHaveCount(8)
})

test('short of power: caps in the grid, what was asked and why, what is late first', async ({ page, url, mock }) => {
  mock.short = true
  await clusters(page, url)
  await expect(page.getByRole('img', { name: 'draws 121 kW, awarded 128 kW, firm 46 kW, limit 150 kW, nameplate 243 kW' })).toBeVisible()
  // A node at full power is filled to the top, a capped one below its cap only.
  const [full, low, high] = [await gpu(page, 0, 0.2), await gpu(page, 6, 0.75), await gpu(page, 6, 0.2)]
  expect(full[1]!).toBeGreaterThan(full[0]! + 40)
  expect(low[0]!).toBeGreaterThan(low[2]! + 80)
  expect(high[0]! - high[2]!).toBeLessThan(20)

  const force = page.getByRole('region', { name: 'In force' })
  await expect(force.locator('li[data-effect]').first()).toContainText(/hold gpu-12 to 450 W a GPU.*Late.*all miners rest already.*late, else pausing its job/s)
  await expect(force).toContainText('11 nodes are held below full power')
  await force.getByText('Which').click()
  await expect(force.getByText('hold gpu-10 to 400 W a GPU', { exact: false })).toBeVisible()
  // Said once where it stands above already.
  await expect(force.getByText('asked by the utility')).toHaveCount(1)
  await expect(page.getByText('The queue spot starts nothing new, by our order.')).toBeVisible()
})

test('jobs: those held back first, by filter, and by node', async ({ page, url, mock }) => {
  mock.short = true
  await clusters(page, url)
  const rows = page.getByTestId('jobs').locator('tbody tr')
  await expect(rows.first()).toContainText('diffusion-xl')
  await expect(rows.nth(1)).toContainText(/reward-model.*Beta Labs.*training.*Paused.*7 min ago.*3 h 50 min.*its work was saved/s)
  await page.getByRole('button', { name: /^Held back/ }).click()
  await expect(rows).toHaveCount(4)
  await expect(rows.nth(2)).toContainText('8 % slower')
  await page.getByRole('button', { name: /^All/ }).click()
  await page.getByTestId('nodes-gpu').focus()
  await page.keyboard.press('ArrowRight')
  await expect(page.locator('.tip')).toContainText(/gpu-01.*8 of 8 GPUs in use, not capped/s)
  await page.keyboard.press('Enter')
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('chat-serving')
  await page.getByRole('button', { name: 'all nodes' }).click()
  await expect(rows).toHaveCount(8)
})

test('an operator keeps a node and releases it', async ({ page, url, mock }) => {
  await clusters(page, url)
  const grid = page.getByTestId('nodes-gpu')
  await grid.focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Keep as it is' }).click()
  await expect(page.getByText('Kept as it is by a person.')).toBeVisible()
  await page.getByRole('button', { name: 'Release' }).click()
  await expect(page.getByRole('button', { name: 'Fence' })).toBeVisible()
  expect(mock.requests.filter((r) => r.path.includes('/holds')).map((r) => [r.method, r.path, r.body])).toEqual([
    ['POST', '/clusters/gpu/holds', { nodes: ['gpu-01'], mode: 'keep' }],
    ['DELETE', '/clusters/gpu/holds/gpu-01', undefined],
  ])
})

test('a viewer looks at a node and does nothing to it', async ({ page, url }) => {
  await clusters(page, url, 'viewer')
  await page.getByTestId('nodes-gpu').focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('node')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Fence' })).toHaveCount(0)
})

test('an engine that is silent is said, and what it told before is grey', async ({ page, url, mock }) => {
  mock.unreachable = true
  await clusters(page, url)
  await expect(page.getByRole('alert').filter({ hasText: 'refuses the connection' })).toContainText('last heard of 6 min ago. Its jobs run on, and it counts as its nameplate')
  await expect(page.locator('.old')).toHaveCount(1)
})

test('who runs the site sees what a tenant sees', async ({ page, url }) => {
  await clusters(page, url)
  await page.getByRole('navigation', { name: "Tenants' pages" }).getByRole('link', { name: 'Beta Labs' }).click()
  await expect(page.getByText('This is what Beta Labs sees.')).toBeVisible()
  await expect(page.getByTestId('tenant-chart').locator('canvas')).toBeVisible()
  await expect(page.getByRole('link', { name: 'Clusters' }).first()).toBeVisible()
  await expect(page.getByRole('link', { name: /^PDF/ }).first()).toHaveAttribute('href', '/api/v1/tenant/invoices/draft?tenant=beta&format=pdf')
})

test.describe('without clusters', () => {
  test.use({ siteOptions: { hasClusters: false } })
  test('nothing leads to them', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByRole('link', { name: 'Clusters' })).toHaveCount(0)
  })
})
