import type { ParsedWorkflow } from './workflow';
import { RUNTIME } from './workflowScriptRuntime';

/** What the script must know about a target. */
export interface ScriptTarget {
  baseUrl: string;
  /** Names of the headers that hold secrets; their values stay out of the script. */
  secretHeaders: string[];
}

/** Name of the secure credential that holds the value of a header. */
export function secureCredential(target: string, header: string): string {
  return `ROCKET_${target}_${header}`.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

/** JSON as a JavaScript expression that is safe inside a script. */
function literal(value: unknown): string {
  return JSON.stringify(value, null, 2)
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

/** Text for a comment of one line. */
function oneLine(value: string): string {
  return value.replace(/[\r\n\u2028\u2029]+/g, ' ');
}

/**
 * A New Relic scripted API monitor (runtime `NODE_API` 16.10 and newer) that
 * walks the workflow and fails where Rocket's own run fails. Secrets are read
 * from the account's secure credentials, which the head of the script names.
 */
export function newRelicScript(options: {
  pathRef: string;
  pathTitle: string;
  workflow: ParsedWorkflow;
  targets: Record<string, ScriptTarget>;
}): string {
  const { workflow, targets, pathRef } = options;
  const used = [...new Set(workflow.steps.map(step => step.target))];
  const credentials = used.flatMap(name =>
    (targets[name]?.secretHeaders ?? []).map(header =>
      secureCredential(name, header),
    ),
  );
  const head = [
    `// ${oneLine(options.pathTitle)}: ${oneLine(workflow.title)}`,
    `// Scripted API monitor for New Relic, made by Rocket from ${pathRef}, workflow ${workflow.name}.`,
    '// Change the CriticalPath and export again rather than changing this script.',
    credentials.length > 0
      ? `// Secure credentials that it needs: ${credentials.join(', ')}`
      : '// It needs no secure credentials.',
  ];
  const targetCode = used.map(name => {
    const { baseUrl, secretHeaders } = targets[name];
    const headers = secretHeaders.map(
      header =>
        `${JSON.stringify(header)}: $secure.${secureCredential(name, header)}`,
    );
    return `  ${JSON.stringify(name)}: {\n    baseUrl: ${literal(
      baseUrl,
    )},\n    headers: function () {\n      return { ${headers.join(
      ', ',
    )} };\n    },\n  },`;
  });
  const { variables, steps, deadlineMs } = workflow;
  return `${head.join('\n')}
'use strict';

var TARGETS = {
${targetCode.join('\n')}
};

var WORKFLOW = ${literal({
    source: `${pathRef}/${workflow.name}`,
    deadlineMs,
    variables,
    steps: steps.map(({ title: _, ...step }) => step),
  })};
${RUNTIME}`;
}
