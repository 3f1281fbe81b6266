import { json } from "@sveltejs/kit";

export const GET = async ({ fetch, url }) => json({ path: url.pathname, inner: await (await fetch("/hello")).text() });
