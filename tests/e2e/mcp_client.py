# SPDX-License-Identifier: Apache-2.0
"""mcp_client.py CALLS COMMAND...: starts COMMAND, a server of the Model Context Protocol, asks for its tools, makes CALLS
([[tool, arguments], ...] as JSON) and prints what it answered."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError


async def answer(session, name, arguments):
    try:
        result = await session.call_tool(name, arguments)
    except MCPError as error:
        return {"text": str(error), "error": True}
    return {"text": "".join(part.text for part in result.content), "error": result.is_error}


async def talk(calls, command):
    async with stdio_client(StdioServerParameters(command=command[0], args=command[1:])) as streams:
        async with ClientSession(*streams) as session:
            server = (await session.initialize()).server_info.name
            tools = [tool.name for tool in (await session.list_tools()).tools]
            answers = [await answer(session, name, arguments) for name, arguments in calls]
    print(json.dumps({"server": server, "tools": tools, "answers": answers}))


asyncio.run(talk(json.loads(sys.argv[1]), sys.argv[2:]))
