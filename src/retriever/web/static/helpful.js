// "Was this helpful?" without leaving the page. The buttons are a form, and work without this file.

const results = document.getElementById("results");

async function send(form, helpful) {
  const fields = { ...Object.fromEntries(new FormData(form)), helpful };
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
    });
    return response.ok;
  } catch {
    return false;
  }
}

results.addEventListener("submit", async (event) => {
  const form = event.target.closest(".helpful");
  if (!form) return;
  event.preventDefault();
  const held = form.contains(document.activeElement);
  form.dataset.said = (await send(form, event.submitter.value === "true")) ? "thanks" : "sorry";
  if (held) form.querySelector(`.${form.dataset.said}`).focus(); // so that it is heard, and focus is not lost
});
