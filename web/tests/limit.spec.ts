import { expect, open, test } from './site'

test.describe('limit', () => {
  test('says what it will do, asks, sends it, shows it, clears it', async ({ page, url, mock }) => {
    await open(page, url)
    await page.getByRole('button', { name: 'Limit', exact: true }).click()
    const d = page.getByRole('dialog', { name: 'Limit' })
    await d.getByLabel('Node').selectOption('hall-a')
    await d.getByLabel('Unit').selectOption('kW')
    await d.getByLabel('Not above').fill('250')
    await expect(d.getByTestId('effect')).toContainText(/Will shed about .+ of mining at Hall A/)
    await d.getByRole('button', { name: '15 min' }).click()
    await d.getByLabel('Note for the journal').fill('breaker runs warm')

    const sent = () => mock.requests.filter((r) => r.path.startsWith('/limits'))
    await d.getByRole('button', { name: 'Review' }).click()
    await expect(d).toContainText('Limit Hall A to 0.250 MW for 15 min')
    expect(sent()).toEqual([])
    await d.getByRole('button', { name: 'Back' }).click()
    expect(sent()).toEqual([])

    await d.getByRole('button', { name: 'Review' }).click()
    await d.getByTestId('confirm-limit').click()
    await expect(d.locator('.limit', { hasText: 'Hall A' })).toContainText('250 kW')
    expect(sent()).toEqual([{ method: 'POST', path: '/limits', body: { node: 'hall-a', power_w: 250_000, for_s: 900, note: 'breaker runs warm' }, guard: '1' }])

    await d.getByRole('button', { name: 'Clear the limit on Hall A' }).click()
    expect(sent().length).toBe(1)
    await d.getByRole('button', { name: 'Yes, clear it' }).click()
    await expect(d.locator('.limit', { hasText: 'Hall A' })).toHaveCount(0)
    expect(sent()[1]).toMatchObject({ method: 'DELETE', path: '/limits/op-1', guard: '1' })
  })

  test('a limit below contracted load must be acknowledged', async ({ page, url, mock }) => {
    await open(page, url)
    await page.locator('[data-key="node:connection"] button').click()
    const d = page.getByRole('dialog', { name: 'Limit' })
    await d.getByLabel('Not above').fill('0.4')
    await d.getByRole('button', { name: 'until cleared' }).click()
    await expect(d.getByTestId('effect')).toContainText('against its contract')
    await d.getByRole('button', { name: 'Review' }).click()
    await expect(d.getByTestId('confirm-limit')).toBeDisabled()
    await d.getByRole('checkbox').check()
    await d.getByTestId('confirm-limit').click()
    await expect(d.locator('.limit', { hasText: '400 kW' })).toContainText('until cleared')
    expect(mock.requests.at(-1)?.body).toEqual({ node: 'connection', power_w: 400_000, for_s: 0 })
  })
})
