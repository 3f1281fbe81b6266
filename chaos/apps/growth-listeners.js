// Adds listeners without end to its request's signal, and signals that follow others.
export default {
  fetch(request) {
    for (let n = 0; n < 20_000; n++) request.signal.addEventListener("abort", () => {});
    let s = request.signal;
    for (let n = 0; n < 2_000; n++) s = AbortSignal.any([s, request.signal]);
    return new Response("answered");
  },
};
