// Goes on as soon as every portal's frame has answered, and after a few seconds in any case. Without this script the page's own
// refresh does the same, more slowly. The window's `load` comes after that of every frame that the page began with.
const onward = document.querySelector("#onward");
const seconds = Number(document.querySelector("[data-seconds]").dataset.seconds);
let gone = false;

function go() {
  if (gone) return;
  gone = true;
  location.replace(onward.href);
}

if (document.readyState === "complete") go();
addEventListener("load", go);
setTimeout(go, seconds * 1000);
