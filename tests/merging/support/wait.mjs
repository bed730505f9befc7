/**
 * Waiting for something to be so: looked at again after each piece of news, never after a time.
 */
export const WAIT_LIMIT_MS = 20_000

/**
 * Resolves once `condition()` is true.
 * @param {string} what for the message when the limit passes
 * @param {() => unknown} condition
 * @param {import('node:events').EventEmitter} emitter tells of news by the event `news`
 */
export function when(what, condition, emitter, limitMs = WAIT_LIMIT_MS) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(limit)
      emitter.off('news', look)
    }
    const look = () => {
      if (!condition()) return
      stop()
      resolve()
    }
    const limit = setTimeout(() => {
      stop()
      reject(new Error(`not within ${limitMs} ms: ${what}`))
    }, limitMs)
    emitter.on('news', look)
    look()
  })
}
