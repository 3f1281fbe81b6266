const { performance, PerformanceObserver, PerformanceEntry } = globalThis
export { performance, PerformanceObserver, PerformanceEntry }
export default { performance, PerformanceObserver, PerformanceEntry }
