import { expect, program, running, test } from './real'
import type { DevicesView, RolloutView } from '../src/lib/fleet'

test.skip(program === '', 'SWITCHYARD_BIN is missing: it names the built program, such as bin/switchyard')
test.setTimeout(90_000)

test('a miner is found, looked at, told, and says what came of it', async ({ page, site, live }) => {
  await running(page, live, 200e3)
  const g = site.groups[0]!
  await page.keyboard.press('/')
  const box = page.getByRole('searchbox', { name: 'Find miners' })
  await expect(box).toBeFocused()
  await expect(page.getByTestId('found')).toHaveText('60 miners')
  await box.fill(`group=${g.id} and state=hashing`)
  await expect(page.getByTestId('found')).toHaveText(/\d+ miners? match/)
  const list = (await (await page.request.get(`/api/v1/devices?q=${encodeURIComponent(`group=${g.id} and state=hashing`)}`)).json()) as DevicesView
  const d = list.devices!.at(-1)!
  await box.fill(d.address || d.id)
  await expect(page.locator(`[data-row="${d.id}"]`)).toBeVisible()
  await page.locator(`[data-row="${d.id}"]`).getByRole('link', { name: d.id }).click()
  await expect(page).toHaveURL(new RegExp(`#/miners/${d.id}$`))

  await expect(page.getByTestId('power')).toHaveText(/^~?[\d,]+ W/)
  await expect(page.getByTestId('power-chart').locator('canvas')).toBeVisible({ timeout: 20_000 })
  await expect(page.getByRole('region', { name: 'Identity' })).toContainText(d.model)
  expect(await page.getByRole('region', { name: 'Boards and fans' }).locator('tbody tr').count()).toBeGreaterThan(0)

  const tell = page.getByRole('region', { name: 'What it can be told' })
  await tell.getByRole('button', { name: 'Reboot…' }).click()
  await expect(page.getByTestId('preview')).toContainText('Reboot 1 device')
  await page.getByTestId('begin').click()
  await expect(tell.getByTestId('told')).toContainText('confirmed', { timeout: 60_000 })
})

test('a wrong query says where, in the words of the program', async ({ page, mayFail }) => {
  mayFail.push(/status of 422/)
  await page.evaluate(() => (location.hash = '#/miners?q=state%3Dhashing%20modle%3DS19'))
  await expect(page.locator('mark')).toHaveText('modle')
  await expect(page.getByText('did you mean "model"?')).toBeVisible()
  await expect(page.locator('[data-row]')).toHaveCount(0)
})

test('many are told in waves, after a preview', async ({ page, site, live }) => {
  await running(page, live, 200e3)
  const g = site.groups[1]!
  await page.evaluate((id) => (location.hash = `#/miners?q=group%3D${id}`), g.id)
  await page.getByLabel('Choose all on this page').check()
  await expect(page.getByTestId('chosen')).toHaveText(`${g.devices} miners chosen`)
  await page.getByRole('button', { name: 'Tell them…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Locating light' }).click()
  await dialog.getByLabel('At a time').fill('4')
  await dialog.getByRole('button', { name: 'Preview' }).click()
  await expect(dialog.getByTestId('preview')).toContainText(/light the LED of|the LED of/i)
  await dialog.getByTestId('begin').click()
  await expect(page).toHaveURL(/#\/rollouts\/\d+$/)
  await expect(page.getByTestId('rollout-state')).toContainText('Done', { timeout: 60_000 })
  const id = /\d+$/.exec(page.url())![0]
  const r = (await (await page.request.get(`/api/v1/rollouts/${id}`)).json()) as RolloutView
  expect(r.request.devices?.length).toBe(g.devices)
  expect(Object.values(r.counts ?? {}).reduce((s, n) => s + n, 0)).toBe(r.total)
  await page.getByRole('link', { name: 'All rollouts' }).click()
  await expect(page.getByRole('region', { name: 'Rollouts' }).getByRole('listitem').first()).toContainText('Done')
})

test('a silence is kept, listed and ended; repairs and alerts answer', async ({ page, site }) => {
  const g = site.groups[0]!
  await page.evaluate(() => (location.hash = '#/silences'))
  await page.getByRole('button', { name: 'Silence…' }).click()
  const d = page.getByRole('dialog', { name: 'Silence alerts' })
  await d.getByLabel('Miners', { exact: true }).fill(`group=${g.id}`)
  await expect(d.getByTestId('covers')).toHaveText(`covers ${g.devices} miners now`)
  await d.getByLabel('Why').fill('filters are cleaned')
  await d.getByRole('button', { name: 'Silence', exact: true }).click()
  const line = page.getByRole('listitem').filter({ hasText: 'filters are cleaned' })
  await expect(line).toContainText(`${g.devices} miners`)
  await line.getByRole('button', { name: /^End/ }).click()
  await line.getByRole('button', { name: 'Yes, end it' }).click()
  await expect(line).toHaveCount(0)
  await page.getByRole('link', { name: /^Alerts/ }).click()
  await expect(page.getByRole('region', { name: 'Alerts of miners' })).toContainText(/Nothing|since/)
  await page.getByRole('link', { name: 'Repairs' }).click()
  await expect(page.getByRole('region', { name: 'Repair list' })).toContainText(/No miner needs hands|lost a day/)
})
