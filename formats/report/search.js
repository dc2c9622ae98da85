"use strict";
(() => {
  const input = document.getElementById("search"), said = document.getElementById("found");
  const groups = Array.from(document.querySelectorAll("details.group"), (group) => ({
    group, rows: Array.from(group.querySelectorAll("tbody tr"), (row) => ({ row, text: row.textContent.toLowerCase() })),
  }));
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { group, rows } of groups) {
      let shown = 0;
      for (const { row, text } of rows) {
        const fits = words.every((word) => text.includes(word));
        if (row.hidden === fits) row.hidden = !fits;
        if (fits) shown++;
      }
      found += shown;
      group.hidden = words.length > 0 && shown === 0;
      group.open = words.length > 0 && shown > 0 && found <= 500;
    }
    said.textContent = words.length ? `${found} found` : "";
  };
  let timer;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
  input.hidden = false;
})();
