// Only comfort: everything can be read without it.
(() => {
  const files = [...document.querySelectorAll("details.file")];
  const button = document.getElementById("open-all");
  button.parentElement.hidden = false;
  button.addEventListener("click", () => {
    const open = files.some((file) => !file.open);
    files.forEach((file) => { file.open = open; });
    button.textContent = open ? "Close all" : "Open all";
  });
  const show = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details.file")) target.open = true;
  };
  addEventListener("hashchange", show);
  show();
})();
