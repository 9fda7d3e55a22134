CREATE {{ "UNIQUE " if i.unique }}INDEX CONCURRENTLY {{ name | q }} ON {{ table | n }} {{ i.new_method }};
