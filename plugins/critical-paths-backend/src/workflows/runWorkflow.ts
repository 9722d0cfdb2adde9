import { performance } from 'node:perf_hooks';
import { toError } from '@backstage/errors';
import {
  asText,
  checkAnswer,
  extractValue,
  fillJson,
  fillPath,
  fillText,
  shorten,
  startValues,
  type ParsedWorkflow,
  type ParsedWorkflowStep,
  type WorkflowAnswer,
  type WorkflowStepEvidence,
  type WorkflowValues,
} from '@rocket/plugin-critical-paths-common';
import { REDACTED, Redactor } from './redact';
import type { WorkflowRequest } from './sendRequest';
import type { ConfiguredTarget } from './settings';
import type { RunVerdict } from './WorkflowStore';

/** Sent with every request, so that a service can tell synthetic requests apart. */
export const SYNTHETIC_HEADER = 'x-rocket-synthetic';

const NEEDS_KEY = ['POST', 'PUT', 'PATCH', 'DELETE'];

/** What a run needs besides its workflow. */
export interface RunOptions {
  workflow: ParsedWorkflow;
  pathRef: string;
  runId: string;
  startedAt: Date;
  /** Targets of all steps, by the name that the workflow uses. */
  targets: Map<string, ConfiguredTarget>;
  maxBytes: number;
  /** Ends the run without a verdict. */
  signal: AbortSignal;
  send: (request: WorkflowRequest) => Promise<WorkflowAnswer>;
  uuid: () => string;
  random: () => number;
}

class Run {
  readonly #options: RunOptions;
  readonly #redactor = new Redactor();
  readonly #values: WorkflowValues;
  readonly #began = performance.now();
  readonly #deadline = new AbortController();
  readonly #signal: AbortSignal;

  constructor(options: RunOptions) {
    this.#options = options;
    for (const { headers } of options.targets.values()) {
      Object.values(headers).forEach(value => this.#redactor.add(value));
    }
    this.#values = startValues(
      options.workflow.variables,
      {
        runId: options.runId,
        startedAt: options.startedAt.toISOString(),
      },
      options,
    );
    this.#signal = AbortSignal.any([options.signal, this.#deadline.signal]);
  }

  async walk(): Promise<RunVerdict> {
    const { workflow } = this.#options;
    const timer = setTimeout(() => this.#deadline.abort(), workflow.deadlineMs);
    const steps: WorkflowStepEvidence[] = [];
    try {
      for (const step of workflow.steps) {
        this.#options.signal.throwIfAborted();
        steps.push(
          steps.some(({ status }) => status === 'failed')
            ? this.#blank(step)
            : await this.#step(step),
        );
      }
      this.#options.signal.throwIfAborted();
    } finally {
      clearTimeout(timer);
    }
    const failed = steps.find(({ status }) => status === 'failed');
    return {
      status: failed ? 'failed' : 'passed',
      durationMs: this.#elapsed(),
      ...(failed && {
        failedStep: failed.name,
        message: this.#redactor.text(failed.error ?? ''),
      }),
      // Once more over all of it: a later step may have found out that something is secret.
      steps: steps.map(step => this.#clean(step)),
    };
  }

  #clean(step: WorkflowStepEvidence): WorkflowStepEvidence {
    const clean = (value: string | undefined) =>
      value === undefined ? undefined : this.#redactor.text(value);
    return {
      ...step,
      request: clean(step.request),
      idempotencyKey: clean(step.idempotencyKey),
      error: clean(step.error),
      checks: step.checks.map(({ check, passed, found }) => ({
        check: this.#redactor.text(check),
        passed,
        found: this.#redactor.text(found),
      })),
      extracted: Object.fromEntries(
        Object.entries(step.extracted).map(([name, value]) => [
          name,
          this.#redactor.text(value),
        ]),
      ),
    };
  }

  #elapsed(): number {
    return performance.now() - this.#began;
  }

  #blank(step: ParsedWorkflowStep): WorkflowStepEvidence {
    return {
      name: step.name,
      title: step.title,
      status: 'not-reached',
      target: step.target,
      startedAfterMs: Math.round(this.#elapsed()),
      durationMs: 0,
      checks: [],
      extracted: {},
    };
  }

  async #step(step: ParsedWorkflowStep): Promise<WorkflowStepEvidence> {
    const evidence = this.#blank(step);
    const began = this.#elapsed();
    evidence.status = 'failed';
    try {
      const request = this.#request(step, evidence);
      const answer = await this.#options.send(request);
      evidence.httpStatus = answer.status;
      evidence.durationMs = Math.round(answer.latencyMs);
      this.#judge(step, answer, evidence);
      if (!evidence.error) {
        evidence.status = 'passed';
      }
    } catch (error) {
      evidence.error = this.#deadline.signal.aborted
        ? `the whole workflow took longer than ${
            this.#options.workflow.deadlineMs
          } ms`
        : toError(error).message;
    }
    evidence.durationMs ||= Math.round(this.#elapsed() - began);
    return evidence;
  }

  #request(
    step: ParsedWorkflowStep,
    evidence: WorkflowStepEvidence,
  ): WorkflowRequest {
    const { workflow, pathRef, runId, maxBytes } = this.#options;
    const target = this.#options.targets.get(step.target)!;
    const url = new URL(target.baseUrl);
    url.pathname =
      url.pathname.replace(/\/$/, '') + fillPath(step.path, this.#values);
    for (const [name, value] of Object.entries(step.query)) {
      url.searchParams.set(name, fillText(value, this.#values));
    }
    if (url.host !== target.baseUrl.host) {
      throw new Error(`the request would leave ${target.baseUrl.host}`);
    }
    evidence.request = shorten(this.#redactor.text(`${step.method} ${url}`));
    const headers: Record<string, string> = {
      'user-agent': 'rocket-workflow/1',
      [SYNTHETIC_HEADER]: `${pathRef}/${workflow.name}`,
    };
    if (NEEDS_KEY.includes(step.method)) {
      headers['idempotency-key'] = `${runId}-${step.name}`;
    }
    const body =
      step.body === undefined
        ? undefined
        : JSON.stringify(fillJson(step.body, this.#values));
    if (body !== undefined) {
      headers['content-type'] = 'application/json';
    }
    for (const [name, value] of Object.entries(step.headers)) {
      headers[name.toLowerCase()] = fillText(value, this.#values);
    }
    if (headers['idempotency-key']) {
      evidence.idempotencyKey = headers['idempotency-key'];
    }
    return {
      url,
      method: step.method,
      // Those of the target last: no workflow replaces them.
      headers: { ...headers, ...target.headers },
      body,
      timeoutMs: step.timeoutMs,
      maxBytes,
      addresses: target.addresses,
      signal: this.#signal,
    };
  }

  #judge(
    step: ParsedWorkflowStep,
    answer: WorkflowAnswer,
    evidence: WorkflowStepEvidence,
  ): void {
    const secret = Object.values(step.extract).filter(e => e.sensitive);
    for (const extract of secret) {
      try {
        this.#redactor.add(asText(extractValue(extract, answer)));
      } catch {
        // What is missing is told below, and is no secret.
      }
    }
    const show = (found: string) => this.#redactor.text(found);
    const location = answer.headers.location;
    evidence.checks = step.expect.map(check =>
      checkAnswer(check, answer, this.#values, show),
    );
    const missed = evidence.checks.find(({ passed }) => !passed);
    if (missed) {
      evidence.error = `expected ${missed.check}, found ${missed.found}${
        answer.status >= 300 && answer.status < 400 && location
          ? `; redirects are not followed (to ${shorten(show(location))})`
          : ''
      }`;
      return;
    }
    for (const [name, extract] of Object.entries(step.extract)) {
      const value = extractValue(extract, answer);
      this.#values[name] = value;
      evidence.extracted[name] = extract.sensitive
        ? REDACTED
        : shorten(show(asText(value)));
    }
  }
}

/**
 * Walks a workflow step by step and stops at the first step that does not do
 * what is expected.
 *
 * @throws when `signal` ends the run; everything else is a verdict
 */
export async function runWorkflow(options: RunOptions): Promise<RunVerdict> {
  return new Run(options).walk();
}
