"""Chat templates with the structure of published ones: what matters of each, and no more."""

from __future__ import annotations

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# A thought of the last answer alone is shown, and an empty one begins an answer without.
QWEN3 = """\
{%- if tools %}{{- tools | tojson }}{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for m in messages[::-1] %}
    {%- if m.role == 'user' %}
        {%- set ns.last = messages|length - 1 - loop.index0 %}
        {%- break %}
    {%- endif %}
{%- endfor %}
{%- for m in messages %}
    {%- set content = m.content %}
    {%- if m.role == 'assistant' and '</think>' in content %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- '<|im_start|>' + m.role + '\\n' }}
    {%- if m.role == 'assistant' and loop.index0 > ns.last %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
    {{- content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
GPT_OSS = """\
{%- macro identity() -%}
    Current date: {{ strftime_now("%Y-%m-%d") }}
    {{- '\\nReasoning: ' + (reasoning_effort if reasoning_effort is defined else 'medium') }}
{%- endmacro -%}
{{- '<|start|>system<|message|>' + identity() + '<|end|>' }}
{%- set said = messages %}
{%- if messages[0].role == 'system' %}
    {{- '<|start|>developer<|message|># Instructions\\n\\n' + messages[0].content + '<|end|>' }}
    {%- set said = messages[1:] %}
{%- endif %}
{%- for m in said -%}
    {%- if m.role == 'user' -%}
        {{- '<|start|>user<|message|>' + m.content + '<|end|>' }}
    {%- elif loop.last and not add_generation_prompt -%}
        {{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}
    {%- else -%}
        {{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|start|>assistant
{%- endif -%}
"""
# The thought is begun, and there is no switch.
DEEPSEEK_R1 = """\
{%- set ns = namespace(system='') %}
{%- for m in messages %}
    {%- if m['role'] == 'system' %}{% set ns.system = m['content'] %}{%- endif %}
{%- endfor %}{{ bos_token }}{{ ns.system }}
{%- for m in messages %}
    {%- if m['role'] == 'user' %}{{- '<｜User｜>' + m['content'] }}
    {%- elif m['role'] == 'assistant' %}
        {{- '<｜Assistant｜>' + m['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜><think>\\n' }}{%- endif %}
"""
# The system message is fixed and speaks of the marks; messages of that role are passed over.
PHI4_REASONING = (
    "<|im_start|>system<|im_sep|>You are Phi. Write <think> {Thought} </think> {Solution}."
    "<|im_end|>{% for m in messages %}{% if (m['role'] == 'user') %}"
    "{{'<|im_start|>user<|im_sep|>' + m['content'] + '<|im_end|>'}}"
    "{% elif (m['role'] == 'assistant') %}{{'<|im_start|>assistant<|im_sep|>'}}"
    "{% generation %}{{m['content'] + '<|im_end|>'}}{% endgeneration %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
SMOLLM3 = """\
{%- if enable_thinking is not defined -%}{%- set enable_thinking = true -%}{%- endif -%}
{%- set mode = '/think' if enable_thinking else '/no_think' -%}
{%- set empty = '<think>\\n\\n</think>\\n' -%}
{{- '<|im_start|>system\\n' -}}
{%- if messages[0].role == 'system' -%}
    {%- set system = messages[0].content -%}
    {%- if '/no_think' in system -%}{%- set mode = '/no_think' -%}{%- endif -%}
    {%- set custom = system.replace('/no_think', '').rstrip() -%}
{%- endif -%}
{{- '## Metadata\\n\\nToday Date: ' + strftime_now('%d %B %Y') + '\\nReasoning Mode: ' + mode }}
{{- '\\n\\n## Custom Instructions\\n\\n' + (custom or 'You are SmolLM.') + '<|im_end|>\\n' -}}
{%- for m in messages -%}
    {%- if m.role == 'user' -%}
        {{- '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}
    {%- elif m.role == 'assistant' -%}
        {% generation %}
        {{- '<|im_start|>assistant\\n' + (empty if mode == '/no_think' else '') }}
        {{- m.content.lstrip('\\n') + '<|im_end|>\\n' }}
        {% endgeneration %}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' + (empty if mode == '/no_think' else '') }}
{%- endif -%}
"""
# It has no variable: only its system message switches.
NEMOTRON = """\
{%- set ns = namespace(thinks=true) -%}
{%- if '/no_think' in messages[0]['content'] -%}{%- set ns.thinks = false -%}{%- endif -%}
{{- '<SPECIAL_10>System\\n' }}
{%- if messages[0]['role'] == 'system' %}
    {{- messages[0]['content'].replace('/no_think', '').strip() }}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for m in messages %}
    {{- '\\n<SPECIAL_11>' + m['role'] + '\\n' + m['content'] }}
    {%- if m['role'] == 'assistant' %}{{- '\\n<SPECIAL_12>' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '\\n<SPECIAL_11>assistant\\n' }}
    {%- if not ns.thinks %}{{- '<think></think>' }}{%- else %}{{- '<think>\\n' }}{%- endif %}
{%- endif %}
"""
# Its switch changes the usual system message alone, which ours takes the place of.
GRANITE33 = """\
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] %}{%- set said = messages[1:] %}
{%- else %}
    {%- set system = "Today's Date: " + strftime_now('%B %d, %Y') + '. You are Granite.' %}
    {%- if thinking %}
        {%- set system = system + ' Write your thoughts between <think></think>.' %}
    {%- endif %}
    {%- if 'citations' in controls and documents %}{%- set system = system + ' Cite.' %}{%- endif %}
    {%- set said = messages %}
{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + system + '<|end_of_text|>\\n' }}
{%- for m in said %}
    {{- '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] + '<|end_of_text|>\\n' }}
    {%- if loop.last and add_generation_prompt %}
        {{- '<|start_of_role|>assistant<|end_of_role|>' }}
    {%- endif %}
{%- endfor %}
"""
# The system message is put into the user's; roles must alternate.
GEMMA3 = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first = messages[0]['content'] + '\\n\\n' -%}{%- set said = messages[1:] -%}
{%- else -%}
    {%- set first = '' -%}{%- set said = messages -%}
{%- endif -%}
{%- for m in said -%}
    {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Conversation roles must alternate user/assistant') }}
    {%- endif -%}
    {{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' }}
    {{- (first if loop.first else '') + m['content'] | trim }}<end_of_turn>
{% endfor %}
{%- if add_generation_prompt -%}<start_of_turn>model
{% endif %}
"""
LLAMA3 = """\
{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = '26 Jul 2024' %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content']|trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system = '' %}{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + date_string + '\\n\\n' }}
{%- if tools is not none %}{{- tools | tojson(indent=4) }}{%- endif %}
{{- system + '<|eot_id|>' }}
{%- for m in messages %}
    {{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim }}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
MISTRAL_SMALL = """\
{%- set today = strftime_now('%Y-%m-%d') %}
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] %}{%- set said = messages[1:] %}
{%- else %}
    {%- set system = 'You are Mistral Small 3. The current date is ' + today %}
    {%- set said = messages %}
{%- endif %}
{%- for m in said %}
    {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant') }}
    {%- endif %}
{%- endfor %}
{{- '[SYSTEM_PROMPT]' + system + '[/SYSTEM_PROMPT]' }}
{%- for m in said %}
    {%- if m['role'] == 'user' %}
        {{- '[INST]' + m['content'] + '[/INST]' }}
    {%- else %}
        {{- m['content'] + eos_token }}
    {%- endif %}
{%- endfor %}
"""
# Reasoning models of Mistral are asked to think by a system message that ours takes the place of.
MAGISTRAL = MISTRAL_SMALL.replace(
    "You are Mistral Small 3.", "Draft your thoughts first: [THINK]Thoughts[/THINK]Answer."
)
# No special tokens at all.
VICUNA = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}\n"
    "{% elif m['role'] == 'user' %}USER: {{ m['content'] }}\n"
    "{% else %}ASSISTANT: {{ m['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)

PUBLISHED = {
    "chatml": CHATML,
    "qwen3": QWEN3,
    "gpt-oss": GPT_OSS,
    "deepseek-r1": DEEPSEEK_R1,
    "phi-4-reasoning": PHI4_REASONING,
    "smollm3": SMOLLM3,
    "nemotron": NEMOTRON,
    "granite-3.3": GRANITE33,
    "gemma-3": GEMMA3,
    "llama-3": LLAMA3,
    "mistral-small": MISTRAL_SMALL,
    "magistral": MAGISTRAL,
    "vicuna": VICUNA,
}
