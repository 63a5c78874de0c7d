// JupyterLab's own code over what a notebook holds, one JSON object a line: {"html": ...} or {"markdown": ...} comes in,
// {"html": ...} or {"error": ...} goes out, as a notebook that is not trusted shows it.
import { createInterface } from 'node:readline';
import { marked } from 'marked';
import { Sanitizer } from './node_modules/jupyterlab/sanitizer.mjs';
import { removeMath, replaceMath } from './node_modules/jupyterlab/latex.mjs';

globalThis.navigator ??= {}; // latex.js asks which browser this is

const sanitizer = new Sanitizer();

function fromMarkdown(source) {
  const { text, math } = removeMath(source);
  return replaceMath(marked.parse(text, { gfm: true }), math);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { html, markdown } = JSON.parse(line);
  let answer;
  try {
    answer = { html: sanitizer.sanitize(markdown === undefined ? html : fromMarkdown(markdown)) };
  } catch (error) {
    answer = { error: String(error) }; // JupyterLab would show nothing at all
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
