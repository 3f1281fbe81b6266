export const GET = () => new Response("hello from a route");
