import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The controller serves the page under a policy that allows its own files only, so nothing
// is inlined: no data: URIs, no inline scripts.
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    chunkSizeWarningLimit: 400,
  },
  server: {
    // `npm run dev` beside `npm run mock`, or beside a controller (API=http://127.0.0.1:8080).
    proxy: { '/api': { target: process.env.API ?? 'http://127.0.0.1:8099' } },
  },
})
