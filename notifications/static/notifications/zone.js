/* Who has named no time zone is offered the one of her browser.
     <select data-browser-zone> or <input data-browser-zone> */

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

for (const field of document.querySelectorAll("[data-browser-zone]")) {
  const takes = !field.options || [...field.options].some((option) => option.value === zone);
  if (zone && takes) field.value = zone;
}
