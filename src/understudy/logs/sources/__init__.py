"""What a file, a folder or a data set of Hugging Face holds, record by record, whatever it is stored as."""

from understudy.logs.sources.columnar import hub_records
from understudy.logs.sources.files import SUFFIXES, files_of, raw_records
from understudy.logs.sources.parts import has_part, part_files, part_records
from understudy.logs.sources.raw import Raw

__all__ = ["SUFFIXES", "Raw", "files_of", "has_part", "hub_records", "part_files", "part_records", "raw_records"]
