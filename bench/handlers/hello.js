// The smallest app that still does what every app does first: look at the URL.
export default {
  fetch(request) {
    const url = new URL(request.url);
    return new Response(`Hello from ${url.pathname}\n`);
  },
};
