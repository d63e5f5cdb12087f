"""Does what the lines of standard input say with pymodbus and answers each with a line of JSON."""
import json
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.constants import Endian
from pymodbus.payload import BinaryPayloadBuilder, BinaryPayloadDecoder

client = ModbusTcpClient(sys.argv[1], port=int(sys.argv[2]), timeout=3)
client.connect()


def decode(regs, kind):
    d = BinaryPayloadDecoder.fromRegisters(regs, byteorder=Endian.Big, wordorder=Endian.Big)
    return {"u16": d.decode_16bit_uint, "u32": d.decode_32bit_uint, "s32": d.decode_32bit_int, "f32": d.decode_32bit_float}[kind]()


def encode(value, kind):
    b = BinaryPayloadBuilder(byteorder=Endian.Big, wordorder=Endian.Big)
    {"u16": b.add_16bit_uint, "u32": b.add_32bit_uint, "f32": b.add_32bit_float}[kind](value)
    return b.to_registers()


for line in sys.stdin:
    c = json.loads(line)
    unit = c.get("unit", 1)
    try:
        if c["op"] == "read":
            size = 1 if c["kind"] == "u16" else 2
            f = client.read_holding_registers if c["fn"] == 3 else client.read_input_registers
            r = f(c["at"], size, slave=unit)
            out = {"exception": r.exception_code} if r.isError() else {"value": repr(decode(r.registers, c["kind"]))}
        elif c["op"] == "block":
            f = client.read_holding_registers if c["fn"] == 3 else client.read_input_registers
            r = f(c["at"], c["count"], slave=unit)
            out = {"exception": r.exception_code} if r.isError() else {"value": str(len(r.registers))}
        elif c["op"] == "write":
            regs = [w for value, kind in c["values"] for w in encode(value, kind)]
            if c["fn"] == 6:
                r = client.write_register(c["at"], regs[0], slave=unit)
            else:
                r = client.write_registers(c["at"], regs, slave=unit)
            out = {"exception": r.exception_code} if r.isError() else {"value": "written"}
        elif c["op"] == "coils":
            r = client.read_coils(0, 1, slave=unit)
            out = {"exception": r.exception_code} if r.isError() else {"value": "read"}
    except Exception as e:
        out = {"error": type(e).__name__ + ": " + str(e)}
    print(json.dumps(out), flush=True)
