export const load = ({ platform, url, request }) => ({
  greeting: platform.env.GREETING,
  name: url.searchParams.get("name"),
});

export const actions = {
  default: async ({ request }) => ({ said: (await request.formData()).get("word") }),
};
